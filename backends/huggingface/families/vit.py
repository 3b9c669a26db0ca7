"""The Vision Transformer (Dosovitskiy et al., 2020, arXiv:2010.11929) and MSN (2022)."""

from __future__ import annotations

from ..defaults import keys
from ..family import Head
from ._vision import image_classes, pooled_model, vit_like

VIT = vit_like(
    "vit",
    prefix="vit.",
    reads=keys("pooler_act"),
    optional={"pooler_output_size": int},
    irrelevant=frozenset(["encoder_stride"]),
    heads={"ViTModel": pooled_model(), "ViTForImageClassification": image_classes("first")},
)

VIT_MSN = vit_like(
    "vit_msn",
    prefix="vit.",
    heads={"ViTMSNModel": Head(), "ViTMSNForImageClassification": image_classes("first")},
)

FAMILIES = (VIT, VIT_MSN)
