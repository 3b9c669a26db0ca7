"""GTE (Zhang et al., 2024, arXiv:2407.19669): BERT with rotary positions and gated units."""

from __future__ import annotations

from ..defaults import keys
from ..rotary import Rotary
from ..values import Key
from ._bert_like import bert_like, masked_head, pooled_model, token_heads
from ._rows import QKV
from ._tasks import pooled

# In the gated feed-forward, only the last linear layer has a bias.

GTE = bert_like(
    "gte",
    prefix="gte.",
    heads={
        "GteForMaskedLM": masked_head(
            "lm_head", norm="norm", act="gelu", bias="decoder.bias", unused=[r"pooler\..*"]
        ),
        "GteModel": pooled_model(),
        "GteForSequenceClassification": pooled(),
        **{
            key: head
            for key, head in token_heads("Gte").items()
            if key.endswith("TokenClassification")
        },
    },
    reads=keys("rope_theta"),
    spec={
        "input": {
            "add": lambda values: (
                {"token_type_ids": values["type_vocab_size"]} if values["type_vocab_size"] else None
            )
        },
        "positions": Rotary(),
        "feed_forward": {
            "type": "glu",
            "d_ff": Key("intermediate_size"),
            "hidden_dropout": Key("hidden_dropout_prob"),
            "bias": ["down"],
        },
    },
    names={
        "position_embedding": None,
        **{f"layers.{{}}.attention.{part}": None for part in ("query", "key", "value")},
        QKV: "encoder.layer.{}.attention.qkv_proj",
        "layers.{}.attention.output": "encoder.layer.{}.attention.o_proj",
        "layers.{}.attention_norm": "encoder.layer.{}.attn_ln",
        ("layers.{}.feed_forward.up", "layers.{}.feed_forward.gate"): (
            "encoder.layer.{}.mlp.up_gate_proj"
        ),
        "layers.{}.feed_forward.up": None,
        "layers.{}.feed_forward.down": "encoder.layer.{}.mlp.down_proj",
        "layers.{}.feed_forward_norm": "encoder.layer.{}.mlp_ln",
    },
    unused=[r"rotary_emb\.inv_freq"],
)

FAMILIES = (GTE,)
