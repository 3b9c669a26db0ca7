"""BEiT (Bao et al., 2021, arXiv:2106.08254): relative positions on a grid, LayerScale."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..family import Family, Head
from ..values import IfSet, Key, Only, Values
from ._vision import NAMES, OF_PATCHES, image_classes, vit_like

_KEYS = keys(
    "drop_path_rate layer_scale_init_value use_absolute_position_embeddings",
    "use_relative_position_bias use_shared_relative_position_bias use_mean_pooling",
)

_IRRELEVANT = frozenset(
    [
        "add_fpn",
        "auxiliary_channels",
        "auxiliary_concat_input",
        "auxiliary_loss_weight",
        "auxiliary_num_convs",
        "out_features",
        "out_indices",
        "pool_scales",
        "reshape_hidden_states",
        "segmentation_indices",
        "semantic_loss_ignore_index",
        "stage_names",
        "use_auxiliary_head",
        "use_mask_token",
        "vocab_size",
    ]
)


def _positions(values: Values) -> Any:
    """Learned positions, relative tables per layer, one shared relative table, or several."""
    positions: list[Any] = ["learned"] if values["use_absolute_position_embeddings"] else []
    for key, share in (("relative", "layer"), ("shared_relative", "stack")):
        if values[f"use_{key}_position_bias"]:
            positions.append({"type": "relative_table", "share": share})
    return positions[0] if len(positions) == 1 else positions or None


def _note(values: Values) -> str:
    if not values["drop_path_rate"]:
        return ""
    return (
        f"Without the library's stochastic depth in training (`drop_path_rate`, up to "
        f"{values['drop_path_rate']:g} in the last layer)"
    )


def beit_like(model_type: str, name: str, **more: Any) -> Family:
    prefix = f"{model_type.replace('-', '_')}."
    table = "relative_position_bias.relative_position_bias_table"
    return vit_like(
        model_type,
        prefix=prefix,
        without=["qkv_bias"],
        reads=_KEYS,
        irrelevant=_IRRELEVANT,
        spec={
            "final_norm": IfSet("use_mean_pooling", False),
            "positions": _positions,
            "attention": {"bias": ["query", "value", "output"]},
            "residual": {"layer_scale": Key("layer_scale_init_value", read=lambda x: x or None)},
        },
        names={
            **NAMES,
            "layers.{}.attention_scale": "encoder.layer.{}.lambda_1",
            "layers.{}.feed_forward_scale": "encoder.layer.{}.lambda_2",
            "layers.{}.attention.relative_bias.weight": (
                f"encoder.layer.{{}}.attention.attention.{table}"
            ),
            "relative_bias.weight": f"encoder.{table}",
        },
        unused=(r".*relative_position_index",),
        heads={
            # the pooler normalises the mean over the patches
            f"{name}ForImageClassification": image_classes(
                IfSet("use_mean_pooling", OF_PATCHES, "first"),
                norm="pooler.layernorm",
                normed=Only("use_mean_pooling", True, True),
            ),
            f"{name}Model": Head(unused=(r"pooler\.layernorm\..*",), partial=True),
        },
        note=_note,
        **more,
    )


BEIT = beit_like("beit", "Beit")

FAMILIES = (BEIT,)
