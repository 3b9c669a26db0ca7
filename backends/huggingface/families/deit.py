"""DeiT (Touvron et al., 2020, arXiv:2012.12877): a second token for distillation."""

from __future__ import annotations

from dataclasses import replace

from ..defaults import keys
from ..layouts import Averaged, Layout
from ._vision import NAMES, image_classes, pooled_model, vit_like

DEIT = vit_like(
    "deit",
    prefix="deit.",
    reads=keys("pooler_act"),
    optional={"pooler_output_size": int},
    irrelevant=frozenset(["encoder_stride"]),
    spec={"input": {"prefix_tokens": 2}},
    names={
        **NAMES,
        "prefix_tokens": Layout(
            "embeddings.cls_token",
            stored=lambda values: (1, 1, values["hidden_size"]),
            beside=("embeddings.distillation_token",),
        ),
    },
    heads={
        "DeiTModel": pooled_model(),
        "DeiTForImageClassification": image_classes("first"),
        "DeiTForImageClassificationWithTeacher": replace(
            image_classes({"type": "first", "tokens": 2, "joined": True}),
            names={
                f"head.output.{part}": Averaged(
                    f"cls_classifier.{part}", beside=(f"distillation_classifier.{part}",)
                )
                for part in ("weight", "bias")
            },
        ),
    },
)

FAMILIES = (DEIT,)
