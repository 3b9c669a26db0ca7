"""Linear attention."""

from typing import Literal

from ..branch import Branch
from ..norm import Norm
from ..part import NOTHING, OneOf
from ..scalars import Flag, Heads
from .memory import Memory


class LinearAttention(Branch):
    """A feature map instead of the softmax: what a query takes is its product with a sum over keys
    and values, which a cache keeps instead of them (Katharopoulos et al., 2020, arXiv:2006.16236).
    Its mask is `causal` or `full`.

    heads: number of query, key and value heads
    head_dim: width of a head; d_model / heads when left out
    feature_map: of queries and keys: elu(x) + 1, relu, silu, x itself (`identity`), or the softmax
        over the width of the head
    map_values: apply the feature map to the values too (MiniMax)
    normalize: what a query takes is divided by the sum of its weights plus 1e-6
    decay: weights shrink with the distance: `lightning`: by exp(-rate) for each token, the rate of
        head h, from 1, of H is 2^(-8 h / H) times 1 - l / (L - 1 + 1e-5) + 1e-5, for layer l,
        from 0, of L (MiniMax, 2025, arXiv:2501.08313)
    output_norm: a norm over all heads, before the gate
    output_gate: a sigmoid of the layer's input multiplies what comes of it, number by number or
        head by head; with a bias if `bias` is true
    bias: whether the projections have a bias
    """

    type: Literal["linear"] = "linear"
    heads: Heads
    head_dim: Heads | None = None
    feature_map: OneOf[Literal["elu", "relu", "silu", "identity", "softmax"]] = "elu"
    map_values: Flag = False
    normalize: Flag = True
    decay: OneOf[Literal["none", "lightning"]] = "none"
    output_norm: Norm = NOTHING
    output_gate: OneOf[Literal["none", "elementwise", "headwise"]] = "none"
    bias: Flag | None = None


class CrossLinearAttention(LinearAttention, Memory):
    __doc__ = f"{LinearAttention.__doc__}\n    {Memory.__doc__}"
