"""SigLIP (Zhai et al., 2023, arXiv:2303.15343): its text tower and its image tower."""

from __future__ import annotations

from dataclasses import replace

from ..defaults import keys
from ..family import Family, Head
from ..values import Row
from ._vision import PATCHES, SIDES, SIZE_KEYS, image_classes
from .clip import (
    IMAGE_NAMES,
    IRRELEVANT,
    POSITION_IDS,
    TEXT_KEYS,
    TEXT_LAST,
    TEXT_NAMES,
    TEXT_OPTIONAL,
    TEXT_SPEC,
    TOWER_KEYS,
    TOWER_SPEC,
    projection,
    two_towers,
)

_SIGLIP = keys("hidden_act layer_norm_eps")

SIGLIP_TEXT = Family(
    model_type="siglip_text_model",
    reads=keys(TOWER_KEYS, _SIGLIP, TEXT_KEYS),
    optional={**TEXT_OPTIONAL, "projection_size": int},
    irrelevant=IRRELEVANT,
    spec=TEXT_SPEC,
    last=TEXT_LAST,
    names=TEXT_NAMES,
    prefix="text_model.",
    unused=(POSITION_IDS,),
    heads={
        "SiglipTextModel": projection(
            "last",
            Row(
                lambda values: values["projection_size"] or values["hidden_size"],
                lambda size: {"projection_size": size},
            ),
            "head",
            bias=True,
        )
    },
    note="Pad texts to the full length and pass no mask, as the library does: with a mask, the "
    "last real token would be pooled instead of the last position",
)

SIGLIP_VISION = Family(
    model_type="siglip_vision_model",
    reads=keys(TOWER_KEYS, _SIGLIP, SIZE_KEYS),
    optional=SIDES,
    irrelevant=IRRELEVANT | {"vision_use_head"},
    spec={**TOWER_SPEC, "input": PATCHES},
    names=IMAGE_NAMES,
    prefix="vision_model.",
    unused=(POSITION_IDS, r"head\..*"),
    heads={"SiglipVisionModel": Head(partial=True)},
    note="Without the attention-pooling head",
)

SIGLIP = two_towers(
    "siglip",
    SIGLIP_VISION,
    {"SiglipForImageClassification": replace(image_classes("mean"), partial=True)},
)

FAMILIES = (SIGLIP_TEXT, SIGLIP_VISION, SIGLIP)
