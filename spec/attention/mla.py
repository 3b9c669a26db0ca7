"""Multi-head latent attention."""

from typing import Literal

from ..branch import Branch
from ..scalars import Epsilon, Flag, Heads, MaybeNumber, OptionalCount, Rate
from .kernel import Kernel
from .memory import Memory


class Mla(Branch):
    """Multi-head latent attention (DeepSeek-AI, 2024, arXiv:2405.04434): keys and values are
    projected from a small latent vector per token; keys have an additional rotated part that all
    heads share. A cache stores only these two.

    heads: number of query, key and value heads
    query_rank: width of the latent vector of the queries; `none`: queries are projected directly
    kv_rank: width of the latent vector of keys and values
    nope_dim: number of features per head, the first ones, that are not rotated
    rope_dim: number of features per head that are rotated
    value_dim: width of a head's values
    latent_eps: eps of the RMS norms on the latent vectors
    bias: whether the output projection and the projections to latent vectors have a bias
    scale: multiplies the scores; default: 1/√(nope_dim + rope_dim)
    kernel: how sparse masks are computed in self-attention: as one `dense` mask, in `tiles` of
        queries with the keys that they may attend to, or `auto`: in tiles for long sequences where
        they are faster; the same in all layers of a stack. `build --kernel` overrides it
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
    kernel: Kernel = "auto"
    dropout: Rate | None = None


class CrossMla(Mla, Memory):
    __doc__ = f"{Mla.__doc__}\n    {Memory.__doc__}"
