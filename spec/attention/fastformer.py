"""Additive attention of Fastformer."""

from typing import Literal

from ..branch import Branch
from ..scalars import Flag, Heads, Rate
from .memory import Memory


class Fastformer(Branch):
    """Additive attention with global vectors (Wu et al., 2021, arXiv:2108.09084). In each head, the
    queries are pooled into one global query, which multiplies every key; these products are pooled
    into one global key, which multiplies every value. Both pools are a softmax over tokens of a
    learned vector · x / √head_dim. The query is added to the output. The mask must be `full`.

    heads: number of query, key and value heads
    bias: whether the projections have a bias
    dropout: rate on the attention weights of both pools
    """

    type: Literal["fastformer"] = "fastformer"
    heads: Heads
    bias: Flag | None = None
    dropout: Rate | None = None


class CrossFastformer(Fastformer, Memory):
    __doc__ = f"{Fastformer.__doc__}\n    {Memory.__doc__}"
