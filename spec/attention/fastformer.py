"""Additive attention of Fastformer."""

from typing import Literal

from ..branch import Branch
from ..scalars import Flag, Heads, Rate
from .memory import Memory


class Fastformer(Branch):
    """Queries, then keys, are pooled to one global vector for each head (Wu et al., 2021,
    arXiv:2108.09084), by a softmax over the tokens of a learned vector · x / √head_dim: the first
    multiplies every key, the second every value, and the output is added to the query. Its mask is
    `full`.

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
