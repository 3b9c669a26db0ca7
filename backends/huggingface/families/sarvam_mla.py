"""Sarvam-105B (Sarvam AI, 2026): DeepSeek-V3 with other defaults."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..rotary import with_parameters
from ..values import Values
from ._latent import latent_rotary
from ._rows import changed
from .deepseek_v3 import DEEPSEEK_V3


def _rotary(values: Values) -> dict[str, Any]:
    """YaRN is called `deepseek_yarn` in published files, whose scaling replaces all parameters."""
    scaling = values.get("rope_scaling")
    if isinstance(scaling, dict) and "deepseek_yarn" in (
        scaling.get("type"),
        scaling.get("rope_type"),
    ):
        rest = {key: value for key, value in scaling.items() if key != "type"}
        values = with_parameters(values, {**rest, "rope_type": "yarn"})
    return latent_rotary(values)


SARVAM_MLA = replace(
    DEEPSEEK_V3,
    model_type="sarvam_mla",
    irrelevant=DEEPSEEK_V3.irrelevant | {"q_head_dim"},
    spec=changed(DEEPSEEK_V3.spec, {"positions": _rotary}),
)

FAMILIES = (SARVAM_MLA,)
