"""Phi-1, 1.5 and 2 (Li et al., 2023, arXiv:2309.05463)."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..rotary import Rotary
from ..values import IfSet, Key, activation
from ._llama_like import llama_like
from ._rows import TOKENS_TOO, causal_heads

_BIASED: dict[str, Any] = {
    "head": {"type": "language_model", "tied": Key("tie_word_embeddings"), "bias": True}
}

PHI = llama_like(
    "phi",
    "Phi",
    reads=keys("layer_norm_eps embd_pdrop resid_pdrop qk_layernorm"),
    without=["rms_norm_eps"],
    spec={
        "bias": None,
        "dropout": Key("resid_pdrop"),
        "input": {"dropout": Key("embd_pdrop")},
        "norm": {"type": "layernorm", "eps": Key("layer_norm_eps")},
        "positions": Rotary(fraction=0.5),
        "residual": {"type": "parallel", "shared_norm": True},
        "attention": {"qk_norm": IfSet("qk_layernorm", "head")},
        "feed_forward": {
            "type": "mlp",
            "d_ff": Key("intermediate_size"),
            "activation": activation("hidden_act"),
        },
    },
    names={
        "norm": "final_layernorm",
        "layers.{}.norm": "layers.{}.input_layernorm",
        "layers.{}.attention.output": "layers.{}.self_attn.dense",
        "layers.{}.attention.query_norm": "layers.{}.self_attn.q_layernorm",
        "layers.{}.attention.key_norm": "layers.{}.self_attn.k_layernorm",
        "layers.{}.feed_forward.up": "layers.{}.mlp.fc1",
        "layers.{}.feed_forward.down": "layers.{}.mlp.fc2",
    },
    heads=causal_heads("Phi", spec=_BIASED, tasks=TOKENS_TOO),
)

FAMILIES = (PHI,)
