"""ERNIE 1 to 3 (Sun et al., 2019, arXiv:1904.09223)."""

from __future__ import annotations

from ._as_decoder import with_decoder_class
from ._bert_like import bert_like, like_bert_heads, masked_and_next
from ._tasks import choices, next_sentence, pooled

ERNIE = bert_like(
    "ernie",
    prefix="ernie.",
    heads={
        **like_bert_heads("Ernie"),
        "ErnieForSequenceClassification": pooled(),
        **choices("Ernie"),
        **next_sentence("Ernie", unused=[r"cls\.predictions\..*"]),
        **masked_and_next("Ernie"),
    },
    fixed={"use_task_id": False},
    irrelevant=frozenset(["task_type_vocab_size", "pool_act", "task_id"]),
)

FAMILIES = (with_decoder_class(ERNIE, "ErnieForCausalLM"),)
