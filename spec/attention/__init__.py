"""Attention variants, one file each, and their union."""

from typing import Annotated

from ..part import Nothing, Tagged, declare
from .collaborative import Collaborative, CrossCollaborative
from .differential import CrossDifferential, Differential
from .fastformer import CrossFastformer, Fastformer
from .linear import CrossLinearAttention, LinearAttention
from .memory import Memory
from .mha import CrossMha, HeadQkNorm, Mha, PerHeadQkNorm, ProjectionQkNorm, QkNorm, QkNorms
from .mla import CrossMla, Mla
from .score_bias import PathBias, ScoreBias, StreamBias, TableBias

Pairwise = Mha | Mla | Differential | Collaborative
"""Attention with a score for each pair of a query and a key."""

CrossPairwise = CrossMha | CrossMla | CrossDifferential | CrossCollaborative

Attention = Annotated[Pairwise | LinearAttention | Fastformer | Nothing, Tagged("attention", "mha")]
CrossAttention = Annotated[
    CrossPairwise | CrossLinearAttention | CrossFastformer | Nothing,
    Tagged("cross_attention", "mha"),
]
declare(Attention)
declare(CrossAttention)

__all__ = [
    "Attention",
    "Collaborative",
    "CrossAttention",
    "CrossCollaborative",
    "CrossDifferential",
    "CrossFastformer",
    "CrossLinearAttention",
    "CrossMha",
    "CrossMla",
    "Differential",
    "Fastformer",
    "HeadQkNorm",
    "LinearAttention",
    "Memory",
    "Mha",
    "Mla",
    "Pairwise",
    "PathBias",
    "PerHeadQkNorm",
    "ProjectionQkNorm",
    "QkNorm",
    "QkNorms",
    "ScoreBias",
    "StreamBias",
    "TableBias",
]
