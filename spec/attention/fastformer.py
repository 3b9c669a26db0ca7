"""Additive attention of Fastformer."""

from typing import Literal

from ..branch import Branch
from ..scalars import Flag, Heads, Rate
from .memory import Memory


class Fastformer(Branch):
    """Queries, then keys, are pooled to one global vector each (Wu et al., 2021, arXiv:2108.09084).

    heads: of queries, keys and values
    bias: of the projections
    dropout: rate on the attention weights
    """

    type: Literal["fastformer"] = "fastformer"
    heads: Heads
    bias: Flag | None = None
    dropout: Rate | None = None


class CrossFastformer(Fastformer, Memory):
    __doc__ = f"{Fastformer.__doc__}\n    {Memory.__doc__}"
