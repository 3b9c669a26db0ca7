"""I-JEPA (Assran et al., 2023, arXiv:2301.08243): no class token."""

from __future__ import annotations

from ..family import Head
from ._vision import image_classes, vit_like

IJEPA = vit_like(
    "ijepa",
    prefix="ijepa.",
    irrelevant=frozenset(["pooler_act", "pooler_output_size"]),
    spec={"input": {"prefix_tokens": None}},
    heads={"IJepaModel": Head(), "IJepaForImageClassification": image_classes("mean")},
)

FAMILIES = (IJEPA,)
