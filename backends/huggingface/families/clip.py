"""CLIP (Radford et al., 2021, arXiv:2103.00020): its text tower, its image tower, and both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..defaults import keys
from ..family import Family, Head, Tower
from ..layouts import Layout
from ..values import Key, Multiple, OtherFamilyError, Row, Values, activation, filled, first
from ._rows import token
from ._vision import OF_PATCHES, PATCHES, SIDES, SIZE_KEYS, image_classes

TOWER_KEYS = keys(
    "hidden_size intermediate_size num_hidden_layers num_attention_heads",
    "attention_dropout hidden_act layer_norm_eps",
)

TEXT_KEYS = keys("vocab_size max_position_embeddings pad_token_id bos_token_id eos_token_id")

TEXT_OPTIONAL: Mapping[str, type] = {
    "pad_token_id": int,
    "bos_token_id": int,
    "eos_token_id": object,
}

# Generation options and label names, which older versions wrote into the configs of towers.
IRRELEVANT = frozenset(["id2label", "initializer_factor", "label2id", "pad_token_id"])

_FIXED: Mapping[str, Any] = {"dropout": 0.0}
"""Further keys of older CLIP configs."""

TOWER_SPEC: Mapping[str, Any] = {
    "family": "encoder-only",
    "d_model": Key("hidden_size"),
    "layers": Key("num_hidden_layers"),
    "activation": activation("hidden_act"),
    "norm": {"eps": Key("layer_norm_eps")},
    "positions": "learned",
    "attention": {"heads": Key("num_attention_heads"), "dropout": Key("attention_dropout")},
    "feed_forward": {"d_ff": Multiple("intermediate_size")},
}

TEXT_SPEC: Mapping[str, Any] = {
    **TOWER_SPEC,
    "vocab_size": Key("vocab_size"),
    "max_positions": Key("max_position_embeddings"),
}

_DRAWN: Mapping[str, Any] = {"type": "normal", "std": Key("initializer_range")}

TEXT_LAST: Mapping[str, Any] = {
    "tokens": {
        "pad": token("pad_token_id"),
        "bos": token("bos_token_id"),
        "eos": token("eos_token_id"),
    }
}

_LAYER: Mapping[Any, Any] = {
    **{
        f"layers.{{}}.attention.{part}": f"encoder.layers.{{}}.self_attn.{name}"
        for part, name in (
            ("query", "q_proj"),
            ("key", "k_proj"),
            ("value", "v_proj"),
            ("output", "out_proj"),
        )
    },
    "layers.{}.attention_norm": "encoder.layers.{}.layer_norm1",
    "layers.{}.feed_forward_norm": "encoder.layers.{}.layer_norm2",
    "layers.{}.feed_forward.up": "encoder.layers.{}.mlp.fc1",
    "layers.{}.feed_forward.down": "encoder.layers.{}.mlp.fc2",
}

TEXT_NAMES: Mapping[Any, Any] = {
    **_LAYER,
    "token_embedding": "embeddings.token_embedding",
    "position_embedding": "embeddings.position_embedding",
    "norm": "final_layer_norm",
}

IMAGE_NAMES: Mapping[Any, Any] = {
    **_LAYER,
    "patch_embedding": "embeddings.patch_embedding",
    "prefix_tokens": Layout("embeddings.class_embedding", stored=lambda _: (-1,)),
    "position_embedding": "embeddings.position_embedding",
    "embedding_norm": "pre_layrnorm",
    "norm": "post_layernorm",
}

POSITION_IDS = r"embeddings\.position_ids"


def projection(pool: Any, size: Any, name: str, *, bias: bool) -> Head:
    head = {"type": "projection", "size": size, "pool": pool, "bias": bias}
    return Head(spec={"head": head}, names={"head.dense": name})


def _end_of_text(values: Values) -> dict[str, Any]:
    """The token at which a text is pooled; configs before 2023 have a wrong id, 2."""
    end = first(values["eos_token_id"])
    return {"type": "token", "id": values["vocab_size"] - 1 if end == 2 else end}


def _end_of_text_back(pool: Any) -> dict[str, Any]:
    if pool.type != "token":
        raise OtherFamilyError("its texts are not pooled at a token id")
    return {"text_config": {"eos_token_id": pool.id}}


_AT_THE_END = Row(
    lambda values: _end_of_text(values["text_config"]),
    _end_of_text_back,
)

CLIP_TEXT = Family(
    model_type="clip_text_model",
    reads=keys(TOWER_KEYS, TEXT_KEYS, "projection_dim initializer_range"),
    optional=TEXT_OPTIONAL,
    fixed=_FIXED,
    irrelevant=IRRELEVANT,
    spec={**TEXT_SPEC, "family": "decoder-only"},
    last={"init": {"type": "normal", "std": Key("initializer_range")}, **TEXT_LAST},
    names=TEXT_NAMES,
    prefix="text_model.",
    unused=(POSITION_IDS,),
    heads={
        "CLIPTextModel": Head(),
        "CLIPTextModelWithProjection": projection(
            _end_of_text, Key("projection_dim"), "text_projection", bias=False
        ),
    },
)

CLIP_VISION = Family(
    model_type="clip_vision_model",
    reads=keys(TOWER_KEYS, SIZE_KEYS, "projection_dim initializer_range"),
    optional=SIDES,
    fixed=_FIXED,
    irrelevant=IRRELEVANT,
    spec={
        **TOWER_SPEC,
        "input": {**PATCHES, "bias": False, "prefix_tokens": 1, "normalize": True},
    },
    last={"init": {"type": "normal", "std": Key("initializer_range")}},
    names=IMAGE_NAMES,
    prefix="vision_model.",
    unused=(POSITION_IDS,),
    heads={
        # its last norm is applied to the pooled vector only
        "CLIPVisionModel": Head(
            spec={"final_norm": False}, unused=(r"post_layernorm\..*",), partial=True
        ),
        "CLIPVisionModelWithProjection": projection(
            "first", Key("projection_dim"), "visual_projection", bias=False
        ),
    },
)


def two_towers(model_type: str, image: Family, head: Mapping[str, Head]) -> Family:
    """The vision tower of a two-tower model as a model of its own."""
    return replace(
        image,
        model_type=model_type,
        reads=keys(image.reads, "id2label"),
        irrelevant=image.irrelevant - {"id2label"},
        inside="vision_config",
        heads=head,
        note="",
    )


def beneath(prefix: str, stack: str, names: Mapping[Any, Any]) -> dict[Any, Any]:
    """The tensor names of a tower inside a two-tower model."""
    rows: dict[Any, Any] = {}
    for ours, theirs in names.items():
        if isinstance(theirs, Layout):
            rows[f"{stack}.{ours}"] = replace(theirs, theirs=f"{prefix}.{theirs.theirs}")
        else:
            rows[f"{stack}.{ours}"] = f"{prefix}.{theirs}"
    return rows


def _towers(model_type: str, name: str) -> Family:
    """Both towers and the contrastive head."""
    return Family(
        model_type=model_type,
        reads=keys("projection_dim"),
        irrelevant=IRRELEVANT
        | {"logit_scale_init_value", "text_config_dict", "vision_config_dict"},
        parts={"vision_config": CLIP_VISION, "text_config": CLIP_TEXT},
        spec={
            "stacks": {
                "vision": Tower("vision_config", CLIP_VISION),
                "text": Tower("text_config", CLIP_TEXT, {"mask": "causal"}),
            }
        },
        last={"init": lambda values: filled(_DRAWN, values["text_config"])},
        names={
            **beneath("vision_model", "vision", IMAGE_NAMES),
            **beneath("text_model", "text", TEXT_NAMES),
        },
        unused=(rf"(vision|text)_model\.{POSITION_IDS}",),
        heads={
            f"{name}Model": Head(
                spec={
                    "head": {
                        "type": "contrastive",
                        "size": Key("projection_dim"),
                        "towers": {
                            "vision": {"pool": "first"},
                            "text": {"pool": _AT_THE_END},
                        },
                    }
                },
                names={
                    "head.vision": "visual_projection",
                    "head.text": "text_projection",
                    "head.scale": Layout("logit_scale", stored=lambda values: ()),
                },
            )
        },
        note="The logits have a row for each image and a column for each text",
    )


def clip_like(model_type: str, name: str) -> Family:
    classes = image_classes(OF_PATCHES, unused=[r"post_layernorm\..*"])
    alone = replace(classes, spec={"final_norm": False, **classes.spec}, partial=True)
    tower = two_towers(model_type, CLIP_VISION, {f"{name}ForImageClassification": alone})
    return replace(tower, other=_towers(model_type, name))


CLIP = clip_like("clip", "CLIP")

FAMILIES = (CLIP_TEXT, CLIP_VISION, CLIP)
