"""DINOv3 (Siméoni et al., 2025, arXiv:2508.10104): rotary positions on a grid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..defaults import keys
from ..family import Head
from ..values import IfSet, Key, Multiple, Row, Values
from ._vision import BACKBONE, in_batches, vit_like


def _biases(values: Values) -> list[str] | bool | None:
    """The attention projections that have a bias; None if all have one."""
    parts = {"query": "query", "key": "key", "value": "value", "output": "proj"}
    found = [ours for ours, theirs in parts.items() if values[f"{theirs}_bias"]]
    return None if len(found) == len(parts) else found or False


def _biases_back(biases: Any) -> dict[str, bool]:
    parts = {"query": "query", "key": "key", "value": "value", "output": "proj"}
    return {
        f"{theirs}_bias": biases if isinstance(biases, bool) else ours in biases
        for ours, theirs in parts.items()
    }


def _not_read(values: Values) -> dict[str, Any]:
    """Tensors that the library stores but does not use: a mask token and empty registers."""
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
    reads=keys(
        "attention_dropout rope_theta query_bias key_bias value_bias proj_bias mlp_bias",
        "layerscale_value drop_path_rate use_gated_mlp num_register_tokens",
    ),
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
            "d_ff": Multiple("intermediate_size"),
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
        f"Images are {values['image_size']} pixels wide and high; the library accepts other sizes"
    ),
)

FAMILIES = (DINOV3,)
