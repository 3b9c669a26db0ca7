"""The smallest encoders of images and sounds, and of the texts that go with them."""

from __future__ import annotations

from typing import Any

import torch
import transformers
from torch import Tensor

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
}
IMAGE: dict[str, Any] = {**SIZES, "image_size": 22, "patch_size": 5}
DINO: dict[str, Any] = {**IMAGE, "mlp_ratio": 2}
DINO.pop("intermediate_size")
SOUND: dict[str, Any] = {
    **SIZES,
    "patch_size": 4,
    "frequency_stride": 3,
    "time_stride": 2,
    "num_mel_bins": 11,
    "max_length": 17,
}
BEIT: dict[str, Any] = {**IMAGE, "use_mask_token": True}
TEXT: dict[str, Any] = {**SIZES, "vocab_size": 40, "max_position_embeddings": 20}
END: dict[str, Any] = {"pad_token_id": 1, "bos_token_id": 0}
PROJECTED: dict[str, Any] = {"projection_dim": 24}

TOWERS: dict[str, tuple[str, dict[str, Any]]] = {
    "vit": ("ViTModel", IMAGE),
    "vit with a small pooler": ("ViTModel", {**IMAGE, "pooler_output_size": 7}),
    "vit without biases": ("ViTModel", {**IMAGE, "qkv_bias": False, "pooler_act": "relu"}),
    "vit of pairs": ("ViTModel", {**IMAGE, "image_size": [22, 22], "patch_size": [5, 5]}),
    "vit of grey images": ("ViTModel", {**IMAGE, "num_channels": 1, "hidden_act": "relu"}),
    "vit classes": ("ViTForImageClassification", {**IMAGE, "num_labels": 5}),
    "deit": ("DeiTModel", IMAGE),
    "deit classes": ("DeiTForImageClassification", {**IMAGE, "num_labels": 5}),
    "deit with a teacher": (
        "DeiTForImageClassificationWithTeacher",
        {**IMAGE, "num_labels": 5},
    ),
    "vit_msn": ("ViTMSNModel", IMAGE),
    "vit_msn classes": ("ViTMSNForImageClassification", IMAGE),
    "ijepa": ("IJepaModel", IMAGE),
    "ijepa classes": ("IJepaForImageClassification", IMAGE),
    "dinov2": ("Dinov2Model", DINO),
    "dinov2 gated": ("Dinov2Model", {**DINO, "use_swiglu_ffn": True}),
    "dinov2 scaled": ("Dinov2Model", {**DINO, "layerscale_value": 0.1, "drop_path_rate": 0.2}),
    "dinov2 registers": ("Dinov2WithRegistersModel", {**DINO, "num_register_tokens": 3}),
    "dinov2 classes": ("Dinov2ForImageClassification", {**DINO, "num_labels": 5}),
    "dinov2 registers classes": (
        "Dinov2WithRegistersForImageClassification",
        {**DINO, "num_register_tokens": 3, "num_labels": 5},
    ),
    "dinov3": ("DINOv3ViTModel", IMAGE),
    "dinov3 gated": (
        "DINOv3ViTModel",
        {
            **IMAGE,
            "num_register_tokens": 3,
            "use_gated_mlp": True,
            "key_bias": True,
            "mlp_bias": False,
            "layerscale_value": 0.3,
            "rope_theta": 50.0,
        },
    ),
    "ast": ("ASTModel", SOUND),
    "ast classes": ("ASTForAudioClassification", {**SOUND, "num_labels": 5}),
    "beit": ("BeitModel", BEIT),
    "beit with tables": (
        "BeitModel",
        {**BEIT, "use_relative_position_bias": True, "drop_path_rate": 0.0},
    ),
    "beit with one table and positions": (
        "BeitModel",
        {
            **BEIT,
            "use_shared_relative_position_bias": True,
            "use_absolute_position_embeddings": True,
        },
    ),
    "beit with a last norm": (
        "BeitModel",
        {**BEIT, "use_mean_pooling": False, "layer_scale_init_value": 0.0},
    ),
    "beit classes": ("BeitForImageClassification", {**BEIT, "num_labels": 5}),
    "beit classes of the first": (
        "BeitForImageClassification",
        {**BEIT, "use_mean_pooling": False},
    ),
    "data2vec classes": ("Data2VecVisionForImageClassification", IMAGE),
    "clip classes": (
        "CLIPForImageClassification",
        {"vision_config": IMAGE, "text_config": TEXT, "num_labels": 5},
    ),
    "siglip classes": (
        "SiglipForImageClassification",
        {"vision_config": IMAGE, "text_config": TEXT, "num_labels": 5},
    ),
    "data2vec": ("Data2VecVisionModel", {**IMAGE, "use_mask_token": True}),
    "clip image": ("CLIPVisionModel", IMAGE),
    "clip image vector": ("CLIPVisionModelWithProjection", {**IMAGE, **PROJECTED}),
    "clip text": ("CLIPTextModel", {**TEXT, **END, "eos_token_id": 3}),
    "clip text vector": (
        "CLIPTextModelWithProjection",
        {**TEXT, **END, **PROJECTED, "eos_token_id": 3},
    ),
    "clip text of the largest id": (
        "CLIPTextModelWithProjection",
        {**TEXT, **END, **PROJECTED, "eos_token_id": 2},
    ),
    "siglip image": ("SiglipVisionModel", IMAGE),
    "siglip text": ("SiglipTextModel", {**TEXT, "projection_size": 24}),
}


def tiny(case: str) -> Any:
    """The model of a case, with fresh weights."""
    name, options = TOWERS[case]
    kind = getattr(transformers, name)
    torch.manual_seed(0)
    config = kind.config_class(**{"attn_implementation": "sdpa", **options})
    return kind(config).eval()


def question(model: Any) -> Tensor:
    """What a tiny model is asked: ids (2, 12) with an end in each row, or two images."""
    config = model.config
    generator = torch.Generator().manual_seed(1)
    if "Text" in type(model).__name__:
        ids = torch.randint(4, 39, (2, 12), generator=generator)
        end = 39 if config.eos_token_id == 2 else 3
        ids[0, 5], ids[1, 11] = end, end
        return ids
    if hasattr(config, "num_mel_bins"):
        return torch.randn(2, config.max_length, config.num_mel_bins, generator=generator)
    return torch.randn(2, getattr(config, "num_channels", 3), 22, 22, generator=generator)
