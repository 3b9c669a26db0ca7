"""SigLIP (Zhai et al., 2023, arXiv:2303.15343): its text tower, its image tower, and both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..defaults import keys
from ..family import Family, Head, Names, Tower
from ..layouts import Layout
from ..values import Key, Multiple, Row, Values, activation, filled
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
    beneath,
    projection,
    two_towers,
)

_SIGLIP = keys("hidden_act layer_norm_eps")


def _projection_size(values: Values) -> Any:
    return values["projection_size"] or values["hidden_size"]


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
            Row(_projection_size, lambda size: {"projection_size": size}),
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

_POOL: Mapping[str, Any] = {
    "d_model": Key("hidden_size"),
    "layers": 1,
    "input": {"type": "learned", "tokens": 1},
    "positions": "none",
    "final_norm": False,
    "norm": {"eps": Key("layer_norm_eps")},
    "activation": activation("hidden_act"),
    "sublayers": [
        {
            "type": "mha",
            "heads": Key("num_attention_heads"),
            "memory": "vision",
            "residual": "none",
            "norm_placement": "none",
        },
        {"type": "mlp", "d_ff": Multiple("intermediate_size")},
    ],
}
"""Attention with one learned query, without a residual, and a feed-forward."""

_PROBE, _POOLED = "vision_model.head", "pool.layers.0"
_QUERY_KEY_VALUE = [f"{_POOLED}.cross_attention.{part}" for part in ("query", "key", "value")]
_POOL_NAMES: Names = {
    "pool.learned_tokens": Layout(
        f"{_PROBE}.probe", stored=lambda values: (1, 1, values["vision_config"]["hidden_size"])
    ),
    tuple(f"{name}.weight" for name in _QUERY_KEY_VALUE): Layout(
        f"{_PROBE}.attention.in_proj_weight"
    ),
    tuple(f"{name}.bias" for name in _QUERY_KEY_VALUE): Layout(f"{_PROBE}.attention.in_proj_bias"),
    f"{_POOLED}.cross_attention.output": f"{_PROBE}.attention.out_proj",
    f"{_POOLED}.feed_forward_norm": f"{_PROBE}.layernorm",
    f"{_POOLED}.feed_forward.up": f"{_PROBE}.mlp.fc1",
    f"{_POOLED}.feed_forward.down": f"{_PROBE}.mlp.fc2",
}

_POOLED_VISION = replace(
    SIGLIP_VISION, irrelevant=IRRELEVANT, fixed={"vision_use_head": True}, unused=(POSITION_IDS,)
)
_BOTH = Family(
    model_type="siglip",
    reads=(),
    irrelevant=IRRELEVANT | {"text_config_dict", "vision_config_dict"},
    parts={"vision_config": _POOLED_VISION, "text_config": SIGLIP_TEXT},
    spec={
        "stacks": {
            "vision": Tower("vision_config", _POOLED_VISION),
            "pool": lambda values: filled(_POOL, values["vision_config"]),
            "text": Tower("text_config", SIGLIP_TEXT),
        }
    },
    names={
        **beneath("vision_model", "vision", IMAGE_NAMES),
        **_POOL_NAMES,
        **beneath("text_model", "text", TEXT_NAMES),
    },
    unused=(rf"(vision|text)_model\.{POSITION_IDS}",),
    heads={
        "SiglipModel": Head(
            spec={
                "head": {
                    "type": "contrastive",
                    "size": Row(
                        lambda values: _projection_size(values["text_config"]),
                        lambda size: {"text_config": {"projection_size": size}},
                    ),
                    "loss": "sigmoid",
                    "bias": True,
                    "towers": {
                        "pool": {"pool": "first", "project": False},
                        "text": {"pool": "last"},
                    },
                }
            },
            names={
                "head.text": "text_model.head",
                "head.scale": "logit_scale",
                "head.bias": "logit_bias",
            },
        )
    },
    note="The logits have a row for each image and a column for each text. Pad texts to the full "
    "length and pass no mask, as the library does",
)

SIGLIP = replace(
    two_towers(
        "siglip",
        SIGLIP_VISION,
        {"SiglipForImageClassification": replace(image_classes("mean"), partial=True)},
    ),
    other=_BOTH,
)

FAMILIES = (SIGLIP_TEXT, SIGLIP_VISION, SIGLIP)
