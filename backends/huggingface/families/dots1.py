"""dots.llm1 (Huo et al., 2025, arXiv:2506.05767)."""

from __future__ import annotations

from ..defaults import keys
from ..layers import Layer
from ..values import Key, Values
from ._llama_like import QK_NORMS, llama_like
from ._moe import (
    GROUP_ALIASES,
    GROUP_FIXED,
    GROUP_KEYS,
    SIGMOID_MIXTURE,
    SIGMOID_NAMES,
    TRAINED,
    dense_and_sparse,
    sparse_after,
)
from ._rows import causal_heads, local_and_global


def _dots_layers(values: Values) -> list[Layer]:
    """Layers from `max_window_layers` on have a window."""
    types = values["layer_types"]
    if types is None:
        first = values["max_window_layers"] if values["sliding_window"] else 10**9
        types = [
            "sliding_attention" if i >= first else "full_attention"
            for i in range(values["num_hidden_layers"])
        ]
    others = local_and_global({**values, "layer_types": types})
    sparse = sparse_after(values["first_k_dense_replace"], values)
    return dense_and_sparse(values, sparse, SIGMOID_MIXTURE, others=others)


DOTS1 = llama_like(
    "dots1",
    "Dots1",
    reads=keys(
        GROUP_KEYS,
        "attention_bias first_k_dense_replace moe_intermediate_size sliding_window",
        "max_window_layers",
    ),
    optional={
        "layer_types": list,
        "sliding_window": int,
        "n_routed_experts": int,
        "n_shared_experts": int,
        "num_experts_per_tok": int,
    },
    fixed=GROUP_FIXED,
    aliases=GROUP_ALIASES,
    irrelevant=TRAINED | {"use_sliding_window"},
    spec={
        "attention": {"bias": Key("attention_bias"), "qk_norm": "head"},
        "feed_forward": None,
    },
    layers=_dots_layers,
    names={**SIGMOID_NAMES, **QK_NORMS},
    heads=causal_heads("Dots1", tasks=()),
)

FAMILIES = (DOTS1,)
