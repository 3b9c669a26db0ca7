"""Command R, R7B and Compass (Cohere, 2024 and 2025): parallel branches that share one norm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..defaults import keys
from ..family import Head
from ..layers import Layer
from ..rotary import Rotary, stated
from ..values import IfSet, Key, Values
from ._llama_like import QK_NORMS, llama_like
from ._rows import KINDS, causal_heads, every, layer_types, local_and_global

COHERE_ROTARY = Rotary(interleaved=True)

COHERE_KEYS = keys("layer_norm_eps logit_scale pad_token_id attention_bias")

COHERE_SPEC: dict[str, Any] = {
    "norm": {"type": "layernorm", "bias": False, "eps": Key("layer_norm_eps")},
    "residual": {"type": "parallel", "shared_norm": True},
    "positions": COHERE_ROTARY,
    "attention": {"bias": Key("attention_bias")},
}

COHERE_NAMES: dict[str, str] = {"layers.{}.norm": "layers.{}.input_layernorm"}

COHERE_HEAD: dict[str, Any] = {
    "head": {
        "type": "language_model",
        "tied": Key("tie_word_embeddings"),
        "scale": Key("logit_scale"),
    }
}

COHERE = llama_like(
    "cohere",
    "Cohere",
    reads=keys(COHERE_KEYS, "use_qk_norm"),
    without=["rms_norm_eps"],
    irrelevant=frozenset(["model_max_length"]),
    spec={
        **COHERE_SPEC,
        "attention": {**COHERE_SPEC["attention"], "qk_norm": IfSet("use_qk_norm", "per_head")},
    },
    names={**COHERE_NAMES, **QK_NORMS},
    heads=causal_heads("Cohere", spec=COHERE_HEAD, tasks=()),
)


def _layers(values: Values) -> list[Layer]:
    """Only layers with a window have rotary positions."""
    period = values["sliding_window_pattern"] or values["_sliding_window_pattern"] or 4
    return local_and_global(
        every(values, period),
        local={"positions": IfSet("sliding_window", COHERE_ROTARY, "none")},
        **{"global": {"positions": "none"}},
    )


COHERE2 = llama_like(
    "cohere2",
    "Cohere2",
    reads=keys(COHERE_KEYS, "sliding_window"),
    optional={
        "layer_types": list,
        "sliding_window": int,
        "sliding_window_pattern": int,
        "_sliding_window_pattern": int,
    },
    without=["rms_norm_eps"],
    fixed={
        "order_of_interleaved_layers": "local_attn_first",
        "position_embedding_type": "rope_gptj",
        "rotary_pct": 1.0,
        "use_embedding_sharing": True,
        "use_gated_activation": True,
        "use_parallel_block": True,
    },
    irrelevant=frozenset(["layer_switch", "model_max_length", "use_parallel_embedding"]),
    spec={**COHERE_SPEC, "positions": None},
    layers=_layers,
    names=COHERE_NAMES,
    heads=causal_heads("Cohere2", spec=COHERE_HEAD, tasks=()),
)


def _compass_layers(values: Values) -> list[Layer]:
    """Layer types without an entry in `rope_parameters` have no positions."""
    parameters = stated(values)
    by_kind = any(isinstance(each, Mapping) or each is None for each in parameters.values())
    blocks = {
        ours: {
            "positions": "none"
            if by_kind and parameters.get(theirs) is None
            else Rotary(layer_type=theirs, by_layer_type=True)(values)
        }
        for theirs, ours in KINDS.items()
        if theirs in layer_types(values)
    }
    return local_and_global(values, **blocks)


COHERE_COMPASS_TEXT = llama_like(
    "cohere_compass_text",
    "CohereCompass",
    reads=keys(COHERE_KEYS, "sliding_window"),
    optional={"layer_types": list, "sliding_window": int, "logit_scale": float},
    without=["rms_norm_eps"],
    irrelevant=frozenset(["pooling"]),
    spec={**COHERE_SPEC, "positions": None},
    layers=_compass_layers,
    names=COHERE_NAMES,
    heads={
        "CohereCompassForCausalLM": causal_heads("CohereCompass", spec=COHERE_HEAD, tasks=())[
            "CohereCompassForCausalLM"
        ],
        "CohereCompassTextModel": Head(),
    },
)

FAMILIES = (COHERE, COHERE2, COHERE_COMPASS_TEXT)
