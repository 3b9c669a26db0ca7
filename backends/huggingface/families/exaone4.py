"""EXAONE 4 (LG AI Research, 2025, arXiv:2507.11407): layers without a window have no positions."""

from __future__ import annotations

from ..defaults import keys
from ..layers import Layer
from ..values import IfSet, Values
from ._llama_like import OUTPUT_NORMS, QK_NORMS, llama_like
from ._rows import ALL_TASKS, causal_heads, every, local_and_global
from .smollm3 import ROTARY


def _exaone_layers(values: Values) -> list[Layer]:
    """If some layers have a window, only those have rotary positions."""
    pattern = values["sliding_window_pattern"]
    period = len(pattern) if isinstance(pattern, str) else pattern
    if values["sliding_window"] is None:
        period = 1
    return local_and_global(
        every(values, period),
        local={"positions": ROTARY},
        **{"global": {"positions": IfSet("sliding_window", "none", ROTARY)}},
    )


EXAONE4 = llama_like(
    "exaone4",
    "Exaone4",
    reads=keys("sliding_window sliding_window_pattern"),
    optional={"layer_types": list, "sliding_window": int, "sliding_window_pattern": object},
    spec={"positions": None, "norm_placement": "output", "attention": {"qk_norm": "head"}},
    layers=_exaone_layers,
    names={**OUTPUT_NORMS, **QK_NORMS},
    heads=causal_heads("Exaone4", tasks=ALL_TASKS),
)

FAMILIES = (EXAONE4,)
