"""Linear attention."""

from typing import Literal

from ..branch import Branch
from ..norm import Norm
from ..part import NOTHING, OneOf
from ..scalars import Flag, Heads
from .memory import Memory


class LinearAttention(Branch):
    """Linear attention (Katharopoulos et al., 2020, arXiv:2006.16236): a feature map φ replaces the
    softmax, so that the output is φ(q) · Σ φ(k) vᵀ. A cache stores this sum instead of keys and
    values. The mask must be `causal` or `full`.

    heads: number of query, key and value heads
    head_dim: width of a head; default: d_model / heads
    feature_map: feature map of queries and keys: `elu` is elu(x) + 1, `identity` is x, `softmax` is
        over the width of the head
    map_values: apply the feature map to the values too (MiniMax)
    normalize: divide by the sum of the attention weights plus 1e-6
    decay: `lightning`: a key at distance d is weighted by exp(-rate · d). In head h = 1 … H and
        layer l = 0 … L - 1, the rate is 2^(-8 h / H) · (1 - l / (L - 1 + 1e-5) + 1e-5) (MiniMax,
        2025, arXiv:2501.08313)
    output_norm: a norm over the concatenated heads, before the output gate
    output_gate: multiply the attention output by a sigmoid of a linear projection of the layer's
        input, `elementwise` or with one value per head (`headwise`); the projection has a bias if
        `bias` is true
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
