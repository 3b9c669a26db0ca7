"""The Vision Transformer (Dosovitskiy et al., 2020, arXiv:2010.11929), and what is built as it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from ....spec.embedding import pair
from ..family import Family, Head, Names
from ..layouts import Averaged, Layout
from ..values import IfSet, Key, Multiple, Row, Values
from .images import (
    BACKBONE,
    DEFAULTS,
    EMBEDDINGS,
    LAST,
    LAYER,
    MASK_TOKEN,
    NAMES,
    SIDES,
    SPEC,
    image_classes,
    in_batches,
    pooled_model,
)
from .rows import changed

_POOLER: Mapping[str, Any] = {"pooler_act": "tanh"}


def vit_like(
    model_type: str,
    *,
    heads: Mapping[str, Head],
    prefix: str,
    defaults: Mapping[str, Any] = {},
    optional: Mapping[str, type] = {},
    spec: Mapping[str, Any] = {},
    names: Names | Callable[[Values], Names] = NAMES,
    without: Collection[str] = (),
    unused: Collection[str] = (),
    **more: Any,
) -> Family:
    """A family that differs from ViT in these rows.

    without: keys of config.json that ViT has and this family has not
    """
    usual = {"intermediate_size": 3072, "layer_norm_eps": 1e-12}
    kept = {key: value for key, value in {**DEFAULTS, **usual}.items() if key not in without}
    return Family(
        model_type=model_type,
        defaults={**kept, **defaults},
        optional={**SIDES, **optional},
        spec=changed(SPEC, spec),
        last=LAST,
        names=names,
        prefix=prefix,
        unused=(MASK_TOKEN, *unused),
        heads=heads,
        **more,
    )


VIT = vit_like(
    "vit",
    prefix="vit.",
    defaults=_POOLER,
    optional={"pooler_output_size": int},
    irrelevant=frozenset(["encoder_stride"]),
    heads={"ViTModel": pooled_model(), "ViTForImageClassification": image_classes("first")},
)

# -- DeiT (Touvron et al., 2020, arXiv:2012.12877): a second token, which learns from a teacher

DEIT = vit_like(
    "deit",
    prefix="deit.",
    defaults=_POOLER,
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

# -- MSN (Assran et al., 2022, arXiv:2204.07141) and I-JEPA (Assran et al., 2023, arXiv:2301.08243)

VIT_MSN = vit_like(
    "vit_msn",
    prefix="vit.",
    defaults={"layer_norm_eps": 1e-6},
    heads={"ViTMSNModel": Head(), "ViTMSNForImageClassification": image_classes("first")},
)
IJEPA = vit_like(
    "ijepa",
    prefix="ijepa.",
    irrelevant=frozenset(["pooler_act", "pooler_output_size"]),
    spec={"input": {"prefix_tokens": None}},
    heads={"IJepaModel": Head(), "IJepaForImageClassification": image_classes("mean")},
)

# -- DINOv2 (Oquab et al., 2023, arXiv:2304.07193)


def _wide(values: Values) -> int:
    return int(values["hidden_size"] * values["mlp_ratio"])


def _two_thirds(values: Values) -> int:
    """The width of the gated feed-forward: two thirds of the other's, and a multiple of 8."""
    return (int(_wide(values) * 2 / 3) + 7) // 8 * 8


_GATED: Mapping[str, Any] = {"type": "glu", "hidden": _two_thirds, "activation": "silu"}
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
        f"Images have {values['image_size']} pixels a side, as the positions were learned; for "
        "other sizes the library stretches them"
    )


def _dino(model_type: str, name: str, **more: Any) -> Family:
    return vit_like(
        model_type,
        prefix=f"{model_type}.",
        without=["intermediate_size"],
        defaults={
            "layer_norm_eps": 1e-6,
            "mlp_ratio": 4,
            "layerscale_value": 1.0,
            "drop_path_rate": 0.0,
            "use_swiglu_ffn": False,
            **more.pop("defaults", {}),
        },
        irrelevant=BACKBONE | more.pop("irrelevant", frozenset()),
        spec=changed(
            {
                "residual": {
                    "layer_scale": Key("layerscale_value"),
                    "drop_path": Key("drop_path_rate"),
                },
                "feed_forward": IfSet("use_swiglu_ffn", _GATED, {"hidden": _wide}),
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


DINOV2 = _dino(
    "dinov2", "Dinov2", defaults={"patch_size": 14}, irrelevant=frozenset(["use_mask_token"])
)
DINOV2_WITH_REGISTERS = _dino(
    "dinov2_with_registers",
    "Dinov2WithRegisters",
    defaults={"num_register_tokens": 4},
    spec={"input": {"registers": Key("num_register_tokens")}},
)

# -- DINOv3 (Siméoni et al., 2025, arXiv:2508.10104): no positions but those of queries and keys


def _biases(values: Values) -> list[str] | bool | None:
    """The projections of attention that have a bias, where not all have one."""
    parts = {"query": "query", "key": "key", "value": "value", "output": "proj"}
    found = [ours for ours, theirs in parts.items() if values[f"{theirs}_bias"]]
    return None if len(found) == len(parts) else found or False


def _biases_back(said: Any) -> dict[str, bool]:
    parts = {"query": "query", "key": "key", "value": "value", "output": "proj"}
    return {
        f"{theirs}_bias": said if isinstance(said, bool) else ours in said
        for ours, theirs in parts.items()
    }


def _not_read(values: Values) -> dict[str, Any]:
    """A token for hidden patches, and registers, which the library stores where it has none too."""
    import torch

    tensors = {"embeddings.mask_token": torch.zeros(1, 1, values["hidden_size"])}
    if not values["num_register_tokens"]:
        tensors["embeddings.register_tokens"] = torch.zeros(1, 0, values["hidden_size"])
    return tensors


_DINOV3_LAYER: Mapping[Any, Any] = {
    **{
        f"layers.{{}}.attention.{ours}": f"layer.{{}}.attention.{theirs}_proj"
        for ours, theirs in (("query", "q"), ("key", "k"), ("value", "v"), ("output", "o"))
    },
    **{
        f"layers.{{}}.feed_forward.{part}": f"layer.{{}}.mlp.{part}_proj"
        for part in ("gate", "up", "down")
    },
    "layers.{}.attention_norm": "layer.{}.norm1",
    "layers.{}.feed_forward_norm": "layer.{}.norm2",
    "layers.{}.attention_scale": "layer.{}.layer_scale1.lambda1",
    "layers.{}.feed_forward_scale": "layer.{}.layer_scale2.lambda1",
}
DINOV3 = vit_like(
    "dinov3_vit",
    prefix="model.",
    without=["hidden_dropout_prob", "attention_probs_dropout_prob", "qkv_bias", "id2label"],
    defaults={
        "hidden_size": 384,
        "intermediate_size": 1536,
        "num_attention_heads": 6,
        "layer_norm_eps": 1e-5,
        "attention_dropout": 0.0,
        "rope_theta": 100.0,
        "query_bias": True,
        "key_bias": False,
        "value_bias": True,
        "proj_bias": True,
        "mlp_bias": True,
        "layerscale_value": 1.0,
        "drop_path_rate": 0.0,
        "use_gated_mlp": False,
        "num_register_tokens": 0,
    },
    irrelevant=BACKBONE | {"pos_embed_jitter", "pos_embed_rescale", "pos_embed_shift"},
    spec={
        "dropout": None,
        "input": {"registers": Key("num_register_tokens")},
        "positions": {
            "type": "rotary",
            "theta": Key("rope_theta"),
            "axes": 2,
            "coordinates": "centred",
        },
        "attention": {
            "bias": Row(_biases, _biases_back),
            "dropout": Key("attention_dropout"),
        },
        "feed_forward": {
            "type": IfSet("use_gated_mlp", "glu", "mlp"),
            "hidden": Multiple("intermediate_size"),
            "bias": Key("mlp_bias"),
        },
        "residual": {"layer_scale": Key("layerscale_value"), "drop_path": Key("drop_path_rate")},
    },
    names={
        "patch_embedding": "embeddings.patch_embeddings",
        "prefix_tokens": in_batches("embeddings.cls_token"),
        "registers": in_batches("embeddings.register_tokens"),
        **_DINOV3_LAYER,
        "norm": "norm",
    },
    unused=(r"embeddings\.register_tokens",),
    derived=_not_read,
    heads={"DINOv3ViTModel": Head()},
    note=lambda values: (
        f"Images have {values['image_size']} pixels a side; the library takes other sizes, too"
    ),
)

# -- AST (Gong et al., 2021, arXiv:2104.01778): DeiT over the overlapping patches of a spectrogram


def _sides(*names: str) -> Row:
    """Two sizes of a spectrogram, of bands and of frames; one number where they agree."""

    def read(values: Values) -> Any:
        bands, frames = (values[name] for name in names)
        return bands if bands == frames else [bands, frames]

    def write(said: Any) -> dict[str, int]:
        return dict(zip(names, pair(said), strict=True))

    return Row(read, write)


_SPECTROGRAM: Mapping[str, Any] = {
    "argument": "input_values",
    "layout": "spectrogram",
    "image_size": _sides("num_mel_bins", "max_length"),
    "stride": _sides("frequency_stride", "time_stride"),
    "channels": 1,
    "prefix_tokens": 2,
}
_SOUND_CLASSES = image_classes(
    {"type": "first", "tokens": 2}, norm="classifier.layernorm", normed=True
)
AST = vit_like(
    "audio-spectrogram-transformer",
    prefix="audio_spectrogram_transformer.",
    without=["image_size", "num_channels"],
    defaults={
        "frequency_stride": 10,
        "time_stride": 10,
        "max_length": 1024,
        "num_mel_bins": 128,
    },
    spec={"input": _SPECTROGRAM},
    names=DEIT.names,
    heads={
        "ASTModel": Head(),
        "ASTForAudioClassification": replace(
            _SOUND_CLASSES, names={**_SOUND_CLASSES.names, "head.output": "classifier.dense"}
        ),
    },
)

FAMILIES = (VIT, DEIT, VIT_MSN, IJEPA, DINOV2, DINOV2_WITH_REGISTERS, DINOV3, AST)
