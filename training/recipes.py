"""Recipes: groups of settings from publications."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Values = dict[str, Any]


def _gpt(_d_model: int, settings: Values, _given: Values) -> Values:
    """AdamW, cosine to a tenth, decay 0.1 (Brown et al. 2020, arXiv:2005.14165, appendix B)."""
    return {"warmup": min(500, settings["steps"] // 20)}


def _vaswani(d_model: int, _settings: Values, given: Values) -> Values:
    """The original Transformer (Vaswani et al. 2017, arXiv:1706.03762, sections 5.3 and 5.4)."""
    warmup = given.get("warmup", 4000)
    return {
        "schedule": "inverse_sqrt",
        "warmup": warmup,
        "lr": (d_model * max(1, warmup)) ** -0.5,
        "beta2": 0.98,
        "epsilon": 1e-9,
        "weight_decay": 0.0,
        "clip": 0.0,
        "label_smoothing": 0.1,
    }


RECIPES: dict[str, Callable[[int, Values, Values], Values]] = {
    "gpt": _gpt,
    "vaswani": _vaswani,
}
"""Name -> function from d_model, all settings and given settings to defaults."""
