"""The Vision Transformer (Dosovitskiy et al., 2020, arXiv:2010.11929) and MSN (2022)."""

from __future__ import annotations

from ..family import Head
from ._vision import POOLER, image_classes, pooled_model, vit_like

VIT = vit_like(
    "vit",
    prefix="vit.",
    defaults=POOLER,
    optional={"pooler_output_size": int},
    irrelevant=frozenset(["encoder_stride"]),
    heads={"ViTModel": pooled_model(), "ViTForImageClassification": image_classes("first")},
)

VIT_MSN = vit_like(
    "vit_msn",
    prefix="vit.",
    defaults={"layer_norm_eps": 1e-6},
    heads={"ViTMSNModel": Head(), "ViTMSNForImageClassification": image_classes("first")},
)

FAMILIES = (VIT, VIT_MSN)
