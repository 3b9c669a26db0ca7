"""nanochat (Karpathy, 2025): norms without weights, and rotation in the opposite direction."""

from __future__ import annotations

from ..defaults import keys
from ..layouts import Layout
from ..rotary import Rotary
from ..values import Key, Values, activation
from ._llama_like import llama_like
from ._rows import causal_heads
from .gemma import CAPPED


def _kv_heads(values: Values) -> int:
    return int(values["num_key_value_heads"] or values["num_attention_heads"])


# Rotating pairs (a, b) backwards equals rotating (b, a) forwards, so the halves of each head are
# swapped. The norms have no weights, so this does not affect them.
NANOCHAT = llama_like(
    "nanochat",
    "NanoChat",
    reads=keys("pad_token_id attention_bias final_logit_softcapping"),
    optional={"final_logit_softcapping": float},
    spec={
        "norm": {"affine": False},
        "positions": Rotary(),
        "input": {"normalize": True},
        "attention": {
            "bias": Key("attention_bias"),
            "qk_norm": {"type": "head", "after_positions": True},
        },
        "feed_forward": {
            "type": "mlp",
            "d_ff": Key("intermediate_size"),
            "activation": activation("hidden_act"),
        },
    },
    names={
        "layers.{}.attention.query": Layout(
            "layers.{}.self_attn.q_proj", halves=Key("num_attention_heads")
        ),
        "layers.{}.attention.key": Layout("layers.{}.self_attn.k_proj", halves=_kv_heads),
        "layers.{}.feed_forward.up": "layers.{}.mlp.fc1",
        "layers.{}.feed_forward.down": "layers.{}.mlp.fc2",
    },
    heads=causal_heads("NanoChat", spec=CAPPED, tasks=()),
)

FAMILIES = (NANOCHAT,)
