"""Apertus (Swiss AI, 2025, arXiv:2509.14233): xIELU between two linear layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..defaults import keys
from ..layouts import Layout
from ..rotary import Rotary, stated, with_parameters
from ..values import ACTIVATIONS, Key, Values
from ._llama_like import MLP, QK_NORMS, llama_like
from ._rows import LANGUAGE_MODEL, causal_heads, changed

LONGER = {
    "rope_type": "llama3",
    "rope_theta": 12_000_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
"""The parameters of a config that has none."""


class _Rotary(Rotary):
    def __call__(self, values: Values) -> Any:
        return super().__call__(with_parameters(values, stated(values) or LONGER))


ACTIVATION = Key("hidden_act", words={**ACTIVATIONS, "xielu": "xielu"})

APERTUS = llama_like(
    "apertus",
    "Apertus",
    reads=keys("attention_bias pad_token_id"),
    fixed={"mlp_bias": False, "post_norm": False, "qk_norm": True},  # in published files
    spec={
        "positions": _Rotary(),
        "attention": {"bias": Key("attention_bias"), "qk_norm": "head"},
        "feed_forward": {**MLP, "activation": ACTIVATION},
    },
    names={
        **QK_NORMS,
        "layers.{}.attention_norm": "layers.{}.attention_layernorm",
        "layers.{}.feed_forward_norm": "layers.{}.feedforward_layernorm",
        "layers.{}.feed_forward.activation": "layers.{}.mlp.act_fn",
        **{
            f"layers.{{}}.feed_forward.activation.{name}": Layout(
                f"layers.{{}}.mlp.act_fn.{name}", stored=lambda values: ()
            )
            for name in ("beta", "eps")
        },
    },
    heads=causal_heads("Apertus", tasks=("TokenClassification",)),
)

_FEWER_WORDS = changed(LANGUAGE_MODEL, {"head": {"vocab_size": Key("output_vocab_size")}})

APERTUS_TEXT = replace(
    APERTUS,
    model_type="apertus1p5_text",
    optional={**APERTUS.optional, "output_vocab_size": int},
    heads=causal_heads("Apertus1p5Text", tasks=(), spec=_FEWER_WORDS),
)
"""The language model of Apertus 1.5, whose head may lack the tokens of images and sounds."""

FAMILIES = (APERTUS, APERTUS_TEXT)
