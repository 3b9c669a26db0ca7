"""Rows shared by image encoders."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from ..defaults import Keys, keys
from ..family import Family, Head, Names
from ..layouts import Layout
from ..values import Key, Multiple, Only, RefusedError, Row, Values, activation
from ._rows import changed


def square(name: str) -> Row:
    """A height and width that must be equal, given as one number or as two."""

    def read(values: Values) -> Any:
        value = values[name]
        sides = value if isinstance(value, list) else [value]
        if len(set(map(str, sides))) != 1 or not isinstance(sides[0], int) or len(sides) > 2:
            raise RefusedError(f"`{name}: {value}` is not supported yet, only equal sides")
        return sides[0]

    return Row(read, lambda size: {name: size})


SIZE_KEYS = keys("image_size patch_size num_channels")

SIDES: Mapping[str, type] = {"image_size": object, "patch_size": object}
"""Sizes that may be one number or a list of two."""

KEYS = (
    *keys(
        "hidden_size num_hidden_layers num_attention_heads hidden_act hidden_dropout_prob",
        "attention_probs_dropout_prob initializer_range qkv_bias id2label",
    ),
    *SIZE_KEYS,
)

BACKBONE = frozenset(
    ["apply_layernorm", "out_features", "out_indices", "reshape_hidden_states", "stage_names"]
)
"""Keys of backbone classes, which return the features of several layers."""

PATCHES: Mapping[str, Any] = {
    "type": "patches",
    "image_size": square("image_size"),
    "patch_size": square("patch_size"),
    "channels": Key("num_channels"),
}

SPEC: Mapping[str, Any] = {
    "family": "encoder-only",
    "d_model": Key("hidden_size"),
    "layers": Key("num_hidden_layers"),
    "dropout": Key("hidden_dropout_prob"),
    "activation": activation("hidden_act"),
    "norm": {"eps": Key("layer_norm_eps")},
    "input": {**PATCHES, "prefix_tokens": 1},
    "positions": "learned",
    "attention": {
        "heads": Key("num_attention_heads"),
        "bias": Only("qkv_bias", False, ["output"]),
        "dropout": Key("attention_probs_dropout_prob"),
    },
    "feed_forward": {"d_ff": Multiple("intermediate_size")},
}

LAST: Mapping[str, Any] = {"init": {"type": "normal", "std": Key("initializer_range")}}


def in_batches(name: str) -> Layout:
    """A tensor that the checkpoint stores with a batch axis: (1, T, D)."""
    return Layout(name, stored=lambda values: (1, -1, values["hidden_size"]))


EMBEDDINGS: Mapping[Any, Any] = {
    "patch_embedding": "embeddings.patch_embeddings.projection",
    "prefix_tokens": in_batches("embeddings.cls_token"),
    "position_embedding.weight": in_batches("embeddings.position_embeddings"),
}

ATTENTION: Mapping[Any, Any] = {
    **{
        f"layers.{{}}.attention.{part}": f"encoder.layer.{{}}.attention.attention.{part}"
        for part in ("query", "key", "value")
    },
    "layers.{}.attention.output": "encoder.layer.{}.attention.output.dense",
}

LAYER: Mapping[Any, Any] = {
    **ATTENTION,
    "layers.{}.attention_norm": "encoder.layer.{}.layernorm_before",
    "layers.{}.feed_forward_norm": "encoder.layer.{}.layernorm_after",
    "layers.{}.feed_forward.up": "encoder.layer.{}.intermediate.dense",
    "layers.{}.feed_forward.down": "encoder.layer.{}.output.dense",
}

NAMES: Mapping[Any, Any] = {**EMBEDDINGS, **LAYER, "norm": "layernorm"}

MASK_TOKEN = r"embeddings\.mask_token"


def pooled_model() -> Head:
    """The model without a head; its pooler reads the first token."""
    return Head(
        spec={
            "head": {
                "type": "projection",
                "size": Row(
                    lambda values: values["pooler_output_size"] or values["hidden_size"],
                    lambda size: {"pooler_output_size": size},
                ),
                "pool": "first",
                "activation": activation("pooler_act"),
            }
        },
        names={"head.dense": "pooler.dense"},
        optional=True,
    )


OF_PATCHES: Mapping[str, Any] = {"type": "mean", "skip": 1}
"""Mean over the patches of an image, without the class token."""


def image_classes(
    pool: Any, *, norm: str = "", normed: Any = None, unused: Collection[str] = ()
) -> Head:
    """Image classification, from one vector per image.

    norm, normed: name of a norm on that vector, and whether there is one
    """
    return Head(
        spec={
            "head": {
                "type": "classifier",
                "classes": Key("id2label", read=len),
                "pool": pool,
                "pooled_norm": normed,
                "dropout": 0,
            }
        },
        names={"head.output": "classifier", **({"head.norm": norm} if norm else {})},
        unused=tuple(unused),
    )


def vit_like(
    model_type: str,
    *,
    heads: Mapping[str, Head],
    prefix: str,
    reads: Keys = (),
    optional: Mapping[str, type] = {},
    spec: Mapping[str, Any] = {},
    names: Names | Callable[[Values], Names] = NAMES,
    without: Collection[str] = (),
    unused: Collection[str] = (),
    **more: Any,
) -> Family:
    """A family that differs from ViT in the given rows.

    reads: additional keys of config.json
    without: keys of config.json that ViT has and this family does not
    """
    return Family(
        model_type=model_type,
        reads=keys(KEYS, "intermediate_size layer_norm_eps", reads, without=without),
        optional={**SIDES, **optional},
        spec=changed(SPEC, spec),
        last=LAST,
        names=names,
        prefix=prefix,
        unused=(MASK_TOKEN, *unused),
        heads=heads,
        **more,
    )
