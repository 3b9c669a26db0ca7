"""DINOv2 (Oquab et al., 2023, arXiv:2304.07193), with and without registers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..defaults import keys
from ..family import Family, Head
from ..values import IfSet, Key, Values
from ._rows import changed
from ._vision import BACKBONE, EMBEDDINGS, LAYER, image_classes, in_batches, vit_like


def _wide(values: Values) -> int:
    return int(values["hidden_size"] * values["mlp_ratio"])


def _two_thirds(values: Values) -> int:
    """Width of the gated feed-forward: 2/3 of the ungated one, rounded up to a multiple of 8."""
    return (int(_wide(values) * 2 / 3) + 7) // 8 * 8


_GATED: Mapping[str, Any] = {"type": "glu", "d_ff": _two_thirds, "activation": "silu"}

_DINO_LAYER: Mapping[Any, Any] = {
    **{key: name for key, name in LAYER.items() if ".attention." in key},
    "layers.{}.attention_norm": "encoder.layer.{}.norm1",
    "layers.{}.feed_forward_norm": "encoder.layer.{}.norm2",
    "layers.{}.attention_scale": "encoder.layer.{}.layer_scale1.lambda1",
    "layers.{}.feed_forward_scale": "encoder.layer.{}.layer_scale2.lambda1",
}


def _dino_names(values: Values) -> Mapping[Any, Any]:
    if values["use_swiglu_ffn"]:
        gate_and_up = tuple(f"layers.{{}}.feed_forward.{part}" for part in ("gate", "up"))
        inner: Mapping[Any, Any] = {
            gate_and_up: "encoder.layer.{}.mlp.weights_in",
            "layers.{}.feed_forward.down": "encoder.layer.{}.mlp.weights_out",
        }
    else:
        inner = {
            "layers.{}.feed_forward.up": "encoder.layer.{}.mlp.fc1",
            "layers.{}.feed_forward.down": "encoder.layer.{}.mlp.fc2",
        }
    registers = {"registers": in_batches("embeddings.register_tokens")}
    return {**EMBEDDINGS, **registers, **_DINO_LAYER, **inner, "norm": "layernorm"}


def _class_and_patches(values: Values) -> dict[str, Any]:
    return {"type": "first_and_mean", "skip": 1 + values.get("num_register_tokens", 0)}


def _stretched(values: Values) -> str:
    return (
        f"Images are {values['image_size']} pixels wide and high; the library also accepts other "
        "sizes and interpolates the positions"
    )


def _dino(model_type: str, name: str, **more: Any) -> Family:
    return vit_like(
        model_type,
        prefix=f"{model_type}.",
        without=["intermediate_size"],
        reads=keys(
            "mlp_ratio layerscale_value drop_path_rate use_swiglu_ffn", more.pop("reads", ())
        ),
        irrelevant=BACKBONE | more.pop("irrelevant", frozenset()),
        spec=changed(
            {
                "dropout": 0,  # the library's layers have none
                "input": {"dropout": Key("hidden_dropout_prob")},
                "residual": {
                    "layer_scale": Key("layerscale_value"),
                    "drop_path": Key("drop_path_rate"),
                },
                "feed_forward": IfSet("use_swiglu_ffn", _GATED, {"d_ff": _wide}),
            },
            more.pop("spec", {}),
        ),
        names=_dino_names,
        heads={
            f"{name}Model": Head(),
            f"{name}ForImageClassification": image_classes(_class_and_patches),
        },
        note=_stretched,
        **more,
    )


DINOV2 = _dino("dinov2", "Dinov2", irrelevant=frozenset(["use_mask_token"]))

DINOV2_WITH_REGISTERS = _dino(
    "dinov2_with_registers",
    "Dinov2WithRegisters",
    reads=keys("num_register_tokens"),
    irrelevant=frozenset(["interpolate_antialias", "interpolate_offset"]),
    spec={"input": {"registers": Key("num_register_tokens")}},
)

FAMILIES = (DINOV2, DINOV2_WITH_REGISTERS)
