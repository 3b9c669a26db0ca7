"""ERNIE 1 to 3 (Sun et al., 2019, arXiv:1904.09223)."""

from __future__ import annotations

from ._bert_like import bert_like, like_bert_heads

ERNIE = bert_like(
    "ernie",
    prefix="ernie.",
    heads=like_bert_heads("Ernie"),
    fixed={"use_task_id": False},
    irrelevant=frozenset(["task_type_vocab_size", "pool_act", "task_id"]),
)

FAMILIES = (ERNIE,)
