"""Models of images of transformers, and the specs that should equal them."""

from __future__ import annotations

from typing import Any

import transformers as hf
from pairs import Pair, Piece, Table, within

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "image_size": 22,
    "patch_size": 5,
    "attn_implementation": "sdpa",
}

ATTENTION: Table = {
    "attention.query": "attention.q_proj",
    "attention.key": "attention.k_proj",
    "attention.value": "attention.v_proj",
    "attention.output": "attention.o_proj",
}
FEED_FORWARD: Table = {"feed_forward.up": "mlp.fc1", "feed_forward.down": "mlp.fc2"}
VIT_LAYER: Table = {
    **ATTENTION,
    **FEED_FORWARD,
    "attention_norm": "layernorm_before",
    "feed_forward_norm": "layernorm_after",
}
DINO_LAYER: Table = {
    **ATTENTION,
    **FEED_FORWARD,
    "attention_norm": "norm1",
    "feed_forward_norm": "norm2",
    "attention_scale": "layer_scale1.lambda1",
    "feed_forward_scale": "layer_scale2.lambda1",
    "feed_forward.gate": "mlp.gate_proj",
}
GATED: Table = {"feed_forward.up": "mlp.up_proj", "feed_forward.down": "mlp.down_proj"}
CLIP_LAYER: Table = {
    **FEED_FORWARD,
    "attention.query": "self_attn.q_proj",
    "attention.key": "self_attn.k_proj",
    "attention.value": "self_attn.v_proj",
    "attention.output": "self_attn.out_proj",
    "attention_norm": "layer_norm1",
    "feed_forward_norm": "layer_norm2",
}


def first(module: str, *beside: str) -> Piece:
    """What theirs keep with an axis for the batch."""
    return Piece(module, lambda tensor: tensor[0], beside=beside)


def embeddings(root: str) -> Table:
    return {
        "patch_embedding": f"{root}embeddings.patch_embeddings.projection",
        "prefix_tokens": first(f"{root}embeddings.cls_token"),
        "position_embedding.weight": first(f"{root}embeddings.position_embeddings"),
    }


def clip_embeddings(root: str) -> Table:
    return {
        "patch_embedding": f"{root}embeddings.patch_embedding",
        "prefix_tokens": Piece(f"{root}embeddings.class_embedding", lambda tensor: tensor[None]),
        "position_embedding": f"{root}embeddings.position_embedding",
    }


VIT_SPEC = """
name: vit
family: encoder-only
d_model: 32
layers: 2
dropout: 0.1
norm: {eps: 1e-12}
input: {type: patches, image_size: 22, patch_size: 5, prefix_tokens: 1}
positions: learned
attention: {heads: 4}
feed_forward: {d_ff: 48, activation: gelu}
"""

VIT = Pair(
    "vit",
    VIT_SPEC + "head: {type: classifier, classes: 5, pool: first}\n",
    lambda: hf.ViTForImageClassification(hf.ViTConfig(num_labels=5, **SIZES)),
    {
        **embeddings("vit."),
        **within("layers.{i}", "vit.layers.{i}", VIT_LAYER),
        "norm": "vit.layernorm",
        "head.output": "classifier",
    },
    caches=False,
    unmapped="",
)

DEIT = Pair(
    "deit",
    VIT_SPEC.replace("prefix_tokens: 1", "prefix_tokens: 2")
    + "head: {type: classifier, classes: 5, pool: first}\n",
    lambda: hf.DeiTForImageClassification(hf.DeiTConfig(num_labels=5, **SIZES)),
    {
        **embeddings("deit."),
        "prefix_tokens": first("deit.embeddings.cls_token", "deit.embeddings.distillation_token"),
        **within("layers.{i}", "deit.layers.{i}", VIT_LAYER),
        "norm": "deit.layernorm",
        "head.output": "classifier",
    },
    caches=False,
    unmapped="",
)

DINO_SPEC = """
name: dino
family: encoder-only
d_model: 32
layers: 2
norm: {eps: 1e-6}
input: {type: patches, image_size: 22, patch_size: 5, prefix_tokens: 1}
positions: learned
attention: {heads: 4}
feed_forward: {d_ff: 64, activation: gelu}
residual: {layer_scale: 1.0}
"""
DINO_TABLE: Table = {
    **embeddings(""),
    **within("layers.{i}", "encoder.layer.{i}", DINO_LAYER),
    "norm": "layernorm",
}


def dino(name: str, *changes: tuple[str, str], **options: Any) -> Pair:
    spec = DINO_SPEC
    for old, new in changes:
        assert old in spec
        spec = spec.replace(old, new)
    registers = "num_register_tokens" in options
    config = hf.Dinov2WithRegistersConfig if registers else hf.Dinov2Config
    model = hf.Dinov2WithRegistersModel if registers else hf.Dinov2Model
    gated = "use_swiglu_ffn" in options
    return Pair(
        name,
        spec,
        lambda: model(config(mlp_ratio=2, **SIZES, **options)),
        {
            **DINO_TABLE,
            **(within("layers.{i}", "encoder.layer.{i}", GATED) if gated else {}),
            **({"registers": first("embeddings.register_tokens")} if registers else {}),
        },
        result=lambda output: output.last_hidden_state,
        caches=False,
        unmapped=r"embeddings\.mask_token",
    )


DINO = dino("dinov2")
DINO_GATED = dino(
    "dinov2 with swiglu",
    ("{d_ff: 64, activation: gelu}", "{type: glu, d_ff: 48, activation: silu}"),
    use_swiglu_ffn=True,
)
DINO_REGISTERS = dino(
    "dinov2 with registers",
    ("prefix_tokens: 1", "prefix_tokens: 1, registers: 3"),
    num_register_tokens=3,
)

CLIP = Pair(
    "clip_vision_model",
    """
name: clip
family: encoder-only
d_model: 32
layers: 2
activation: quick_gelu
input:
  type: patches
  image_size: 22
  patch_size: 5
  bias: false
  prefix_tokens: 1
  normalize: true
positions: learned
attention: {heads: 4}
feed_forward: {d_ff: 48}
head: {type: projection, size: 24, pool: first, bias: false}
""",
    lambda: hf.CLIPVisionModelWithProjection(hf.CLIPVisionConfig(projection_dim=24, **SIZES)),
    {
        **clip_embeddings("vision_model."),
        **within("layers.{i}", "vision_model.encoder.layers.{i}", CLIP_LAYER),
        "embedding_norm": "vision_model.pre_layrnorm",
        "norm": "vision_model.post_layernorm",
        "head.dense": "visual_projection",
    },
    result=lambda output: output.image_embeds,
    caches=False,
    unmapped="",
)

SIGLIP = Pair(
    "siglip_vision_model",
    """
name: siglip
family: encoder-only
d_model: 32
layers: 2
activation: gelu_tanh
norm: {eps: 1e-6}
input: {type: patches, image_size: 22, patch_size: 5}
positions: learned
attention: {heads: 4}
feed_forward: {d_ff: 48}
""",
    lambda: hf.SiglipVisionModel(hf.SiglipVisionConfig(**SIZES)),
    {
        **clip_embeddings(""),
        **within("layers.{i}", "encoder.layers.{i}", CLIP_LAYER),
        "norm": "post_layernorm",
    },
    result=lambda output: output.last_hidden_state,
    caches=False,
    unmapped=r"head\..*",
)

BEIT_SPEC = """
name: beit
family: encoder-only
d_model: 32
layers: 2
norm: {eps: 1e-12}
final_norm: false
input: {type: patches, image_size: 22, patch_size: 5, prefix_tokens: 1}
positions: {type: relative_table, share: layer}
attention: {heads: 4, bias: [query, value, output]}
feed_forward: {d_ff: 48, activation: gelu}
residual: {layer_scale: 0.1}
"""
BEIT_TABLE: Table = {
    **embeddings(""),
    **within("layers.{i}", "layers.{i}", VIT_LAYER),
    **within(
        "layers.{i}",
        "layers.{i}",
        {"attention_scale": "lambda_1", "feed_forward_scale": "lambda_2"},
    ),
}


def beit(name: str, spec: str, table: Table, **options: Any) -> Pair:
    return Pair(
        name,
        spec,
        lambda: hf.BeitModel(hf.BeitConfig(**SIZES, **options), add_pooling_layer=False),
        {**BEIT_TABLE, **table},
        result=lambda output: output.last_hidden_state,
        caches=False,
        unmapped="",
    )


BEIT = beit(
    "beit",
    BEIT_SPEC,
    {
        "layers.{i}.attention.relative_bias.weight": (
            "layers.{i}.relative_position_bias.relative_position_bias_table"
        )
    },
    use_relative_position_bias=True,
)
BEIT_SHARED = beit(
    "beit with one table",
    BEIT_SPEC.replace("share: layer", "share: stack"),
    {"relative_bias.weight": "shared_position_bias.relative_position_bias_table"},
    use_shared_relative_position_bias=True,
)

IMAGES = (VIT, BEIT, BEIT_SHARED, DEIT, DINO, DINO_GATED, DINO_REGISTERS, CLIP, SIGLIP)
