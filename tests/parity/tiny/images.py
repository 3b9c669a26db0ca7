"""Fields of image encoders whose sizes depend on one another, stage by stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SHIFTED_WINDOWS = {
    "patch_size": 4,
    "embed_dim": 16,
    "depths": [2, 2],
    "num_heads": [2, 4],
    "num_layers": 2,
    "window_size": 4,
}
_TWO_STAGES = {"hidden_sizes": [16, 32], "depths": [1, 2]}

IMAGE_FIELDS: Mapping[str, Mapping[str, Any]] = {
    "bit": {**_TWO_STAGES, "embedding_size": 16, "num_groups": 8},
    "convnext": {**_TWO_STAGES, "patch_size": 4, "num_stages": 2},
    "convnextv2": {**_TWO_STAGES, "patch_size": 4, "num_stages": 2},
    "donut-swin": _SHIFTED_WINDOWS,
    "efficientnet": {"width_coefficient": 0.25, "depth_coefficient": 0.3, "hidden_dim": 320},
    "hiera": {"image_size": [64, 64], "embed_dim": 16, "depths": [1, 1, 2, 1]},
    "levit": {
        "image_size": 64,
        "patch_size": 16,
        "hidden_sizes": [32, 48, 64],
        "num_attention_heads": [2, 3, 4],
        "depths": [1, 1, 1],
    },
    "mobilevit": {"image_size": 64, "patch_size": 2},
    "mobilevitv2": {"image_size": 64, "patch_size": 2, "width_multiplier": 0.25},
    "regnet": {**_TWO_STAGES, "embedding_size": 16, "groups_width": 8},
    "resnet": {**_TWO_STAGES, "embedding_size": 16},
    "swin": _SHIFTED_WINDOWS,
    "swinv2": {**_SHIFTED_WINDOWS, "pretrained_window_sizes": [0, 0]},
    "textnet": {"image_size": [32, 32]},
}
