"""Collaborative attention."""

from typing import Literal

from ..branch import Branch
from ..scalars import Flag, Heads, MaybeNumber, Rate
from .kernel import Kernel
from .memory import Memory


class Collaborative(Branch):
    """Collaborative attention (Cordonnier et al., 2020, arXiv:2006.16362): all heads share one
    projection of queries and one of keys. Head i multiplies the shared queries by a learned mixing
    vector m_i: softmax((x W_q ∘ m_i) (x W_k)ᵀ · scale) x W_v,i. If each m_i is 1 on a slice of its
    own and 0 elsewhere, this is multi-head attention. The mixing vectors start as normal numbers
    with standard deviation 0.2, as in the authors' code; its content bias is not supported. A cache
    stores the shared keys once.

    heads: number of heads
    key_dim: width of the shared queries and keys, a multiple of `heads`; default: d_model
    value_dim: width of a head's values; default: d_model / heads
    bias: whether the projections have a bias
    scale: multiplies the scores; default: 1/√(key_dim / heads)
    kernel: how sparse masks are computed in self-attention: as one `dense` mask, in `tiles` of
        queries with the keys that they may attend to, or `auto`: in tiles for long sequences where
        they are faster; the same in all layers of a stack. `build --kernel` overrides it
    dropout: rate on the attention weights
    """

    type: Literal["collaborative"] = "collaborative"
    heads: Heads
    key_dim: Heads | None = None
    value_dim: Heads | None = None
    bias: Flag | None = None
    scale: MaybeNumber | None = None
    kernel: Kernel = "auto"
    dropout: Rate | None = None


class CrossCollaborative(Collaborative, Memory):
    __doc__ = f"{Collaborative.__doc__}\n    {Memory.__doc__}"
