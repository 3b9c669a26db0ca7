"""MPNet (Song et al., 2020, arXiv:2004.09297): relative buckets beside learned positions."""

from __future__ import annotations

from ..values import Key
from ._bert_like import bert_like, masked_head, pooled_model, token_heads, two_layers
from ._tasks import choices

MPNET = bert_like(
    "mpnet",
    prefix="mpnet.",
    heads={
        "MPNetForMaskedLM": masked_head("lm_head", act="gelu"),
        "MPNetModel": pooled_model(),
        **two_layers("MPNet", dropout=Key("hidden_dropout_prob")),
        **choices("MPNet", dropout=Key("hidden_dropout_prob")),
        **token_heads("MPNet", dropout=Key("hidden_dropout_prob")),
    },
    without=["type_vocab_size"],
    # the library ignores these keys: positions count from 2, and there are 32 buckets
    fixed={"pad_token_id": 1, "relative_attention_num_buckets": 32},
    spec={
        "max_positions": lambda values: values["max_position_embeddings"] - 2,
        "positions": [
            {"type": "learned", "offset": 2, "skip_padding": "tokens"},
            {"type": "relative_bias", "buckets": 32, "max_distance": 128},
        ],
        "input": {"add": None},
    },
    names={
        "token_type_embedding": None,
        "layers.{}.attention.query": "encoder.layer.{}.attention.attn.q",
        "layers.{}.attention.key": "encoder.layer.{}.attention.attn.k",
        "layers.{}.attention.value": "encoder.layer.{}.attention.attn.v",
        "layers.{}.attention.output": "encoder.layer.{}.attention.attn.o",
        "layers.{}.attention_norm": "encoder.layer.{}.attention.LayerNorm",
        "relative_bias": "encoder.relative_attention_bias",
    },
    unused=[r"position_ids"],
)

FAMILIES = (MPNET,)
