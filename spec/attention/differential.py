"""Differential attention."""

from typing import Literal

from ..branch import Branch
from ..norm import Norm, RmsNorm
from ..scalars import Flag, Heads, MaybeNumber, Rate
from .kernel import Kernel
from .memory import Memory


class Differential(Branch):
    """Differential attention (Ye et al., 2024, arXiv:2410.05258): each head subtracts two softmax
    attention maps, which cancels noise: (softmax(q1 k1ᵀ / √head_dim) - λ softmax(q2 k2ᵀ /
    √head_dim)) v. The projections give the queries (and keys) of the first maps of all heads, then
    those of the second maps. λ = exp(a1 · b1) - exp(a2 · b2) + λ_init, with four learned vectors
    per layer, initialised from a normal distribution with standard deviation 0.1, and λ_init = 0.8
    - 0.6 exp(-0.3 l) in layer l = 0, 1, … The output of each head is normalised and multiplied by 1
    - λ_init.

    heads: number of heads, each with two queries
    kv_heads: number of heads of keys and values, each with two keys; default: `heads`
    head_dim: width of a query and of a key; values are twice as wide. Default: d_model / (2 heads)
    bias: whether the projections have a bias
    scale: multiplies the scores; default: 1/√head_dim
    head_norm: normalisation of the output of each head, with one weight for all heads
    kernel: how sparse masks are computed in self-attention: as one `dense` mask, in `tiles` of
        queries with the keys that they may attend to, or `auto`: in tiles for long sequences where
        they are faster; the same in all layers of a stack. `build --kernel` overrides it
    dropout: rate on the attention weights of both maps
    """

    type: Literal["differential"] = "differential"
    heads: Heads
    kv_heads: Heads | None = None
    head_dim: Heads | None = None
    bias: Flag | None = None
    scale: MaybeNumber | None = None
    head_norm: Norm = RmsNorm.model_construct()
    kernel: Kernel = "auto"
    dropout: Rate | None = None


class CrossDifferential(Differential, Memory):
    __doc__ = f"{Differential.__doc__}\n    {Memory.__doc__}"
