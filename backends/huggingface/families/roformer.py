"""RoFormer (Su et al., 2021, arXiv:2104.09864): BERT with rotary positions."""

from __future__ import annotations

from ..defaults import keys
from ..family import Head
from ..values import Key, activation
from ._as_decoder import with_decoder_class
from ._bert_like import bert_like, like_bert_heads, narrow, narrow_head, token_heads
from ._tasks import pooled

ROFORMER = bert_like(
    "roformer",
    prefix="roformer.",
    heads={
        "RoFormerForMaskedLM": like_bert_heads("RoFormer", narrow_head)["RoFormerForMaskedLM"],
        "RoFormerModel": Head(),
        "RoFormerForSequenceClassification": pooled(
            dense="classifier.dense",
            output="classifier.out_proj",
            act=activation("hidden_act"),
            dropout=Key("hidden_dropout_prob"),
        ),
        **token_heads("RoFormer", dropout=Key("hidden_dropout_prob")),
    },
    reads=keys("embedding_size"),
    optional={"embedding_size": int},
    fixed={"rotary_value": False},
    spec={
        "positions": {"type": "rotary", "layout": "interleaved"},
        "input": {"width": narrow},
    },
    names={"position_embedding": None, "embedding_projection": "embeddings_project"},
    unused=[r"encoder\.embed_positions\.weight"],
)

FAMILIES = (with_decoder_class(ROFORMER, "RoFormerForCausalLM"),)
