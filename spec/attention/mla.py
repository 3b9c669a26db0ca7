"""Multi-head latent attention."""

from typing import Literal

from ..branch import Branch
from ..scalars import Epsilon, Flag, Heads, MaybeNumber, OptionalCount, Rate
from .memory import Memory


class Mla(Branch):
    """Keys and values are made from a small latent vector per token, and keys also from a rotated
    part that all heads share; a cache keeps these two (DeepSeek-AI, 2024, arXiv:2405.04434).

    heads: number of query, key and value heads
    query_rank: width of the queries' latent vector; `none`: no latent vector
    kv_rank: width of the latent vector of keys and values
    nope_dim: width of the part of a head that is not rotated, its first numbers
    rope_dim: width of the part of a head that is rotated
    value_dim: width of a head's values
    latent_eps: eps of the RMS norms on the latent vectors
    bias: whether the output projection and those to latent vectors have a bias
    scale: multiplies the scores; 1/√(nope_dim + rope_dim) when left out
    dropout: rate on the attention weights
    """

    type: Literal["mla"] = "mla"
    heads: Heads
    query_rank: OptionalCount = None
    kv_rank: Heads
    nope_dim: Heads
    rope_dim: Heads
    value_dim: Heads
    latent_eps: Epsilon = 1e-6
    bias: Flag | None = None
    scale: MaybeNumber | None = None
    dropout: Rate | None = None


class CrossMla(Mla, Memory):
    __doc__ = f"{Mla.__doc__}\n    {Memory.__doc__}"
