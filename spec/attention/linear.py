"""Linear attention."""

from typing import Literal

from ..branch import Branch
from ..part import OneOf
from ..scalars import Flag, Heads
from .memory import Memory


class LinearAttention(Branch):
    """A feature map instead of the softmax (Katharopoulos et al., 2020, arXiv:2006.16236).

    heads: of queries, keys and values
    head_dim: width of a head; d_model / heads when left out
    feature_map: of queries and keys
    bias: of the projections
    """

    type: Literal["linear"] = "linear"
    heads: Heads
    head_dim: Heads | None = None
    feature_map: OneOf[Literal["elu", "relu", "softmax"]] = "elu"
    bias: Flag | None = None


class CrossLinearAttention(LinearAttention, Memory):
    __doc__ = f"{LinearAttention.__doc__}\n    {Memory.__doc__}"
