"""Nomic BERT (Nussbaum et al., 2024, arXiv:2402.01613): BERT with rotary positions."""

from __future__ import annotations

from ..defaults import keys
from ..rotary import Rotary
from ..values import Key
from ._bert_like import bert_like, masked_head, pooled_model, token_heads
from ._rows import head_dim
from ._tasks import pooled
from .eurobert import rotary_names

NOMIC_BERT = bert_like(
    "nomic_bert",
    prefix="nomic_bert.",
    heads={
        "NomicBertForMaskedLM": masked_head(
            "cls.predictions", dense="transform.dense", norm="transform.layer_norm"
        ),
        "NomicBertModel": pooled_model(),
        "NomicBertForSequenceClassification": pooled(),
        **{
            key: head
            for key, head in token_heads("NomicBert").items()
            if key.endswith("TokenClassification")
        },
    },
    reads=keys("rope_theta"),
    own_defaults={"tie_word_embeddings": True},
    optional={"head_dim": int},
    spec={
        "positions": Rotary(),
        "attention": {"head_dim": head_dim, "bias": False},
        "feed_forward": {"type": "glu", "d_ff": Key("intermediate_size"), "bias": False},
    },
    names={
        **rotary_names("attn"),
        "layers.{}.feed_forward.up": "encoder.layers.{}.mlp.fc11",
        "layers.{}.feed_forward.gate": "encoder.layers.{}.mlp.fc12",
    },
)

FAMILIES = (NOMIC_BERT,)
