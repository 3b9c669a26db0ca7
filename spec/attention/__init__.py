"""Attention variants, one file each, and their union."""

from typing import Annotated

from ..part import Nothing, Tagged, declare
from .fastformer import CrossFastformer, Fastformer
from .linear import CrossLinearAttention, LinearAttention
from .memory import Memory
from .mha import CrossMha, HeadQkNorm, Mha, PerHeadQkNorm, ProjectionQkNorm, QkNorm, QkNorms
from .mla import CrossMla, Mla
from .score_bias import PathBias, ScoreBias, StreamBias, TableBias

Attention = Annotated[
    Mha | Mla | LinearAttention | Fastformer | Nothing, Tagged("attention", "mha")
]
CrossAttention = Annotated[
    CrossMha | CrossMla | CrossLinearAttention | CrossFastformer | Nothing,
    Tagged("cross_attention", "mha"),
]
declare(Attention)
declare(CrossAttention)

__all__ = [
    "Attention",
    "CrossAttention",
    "CrossFastformer",
    "CrossLinearAttention",
    "CrossMha",
    "CrossMla",
    "Fastformer",
    "HeadQkNorm",
    "LinearAttention",
    "Memory",
    "Mha",
    "Mla",
    "PathBias",
    "PerHeadQkNorm",
    "ProjectionQkNorm",
    "QkNorm",
    "QkNorms",
    "ScoreBias",
    "StreamBias",
    "TableBias",
]
