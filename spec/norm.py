"""Normalisation. Its place is set by `norm_placement`, `final_norm` and others."""

from typing import Annotated, Literal, TypeGuard

from .part import Nothing, OneOf, Part, Tagged, declare
from .scalars import Epsilon, Flag, Number


class LayerNorm(Part):
    """(x - mean) / sqrt(variance + eps) * weight + bias, over the last axis (Ba et al., 2016,
    arXiv:1607.06450).

    eps: added to the variance
    affine: learn a weight
    bias: learn a bias too
    weight_offset: added to the learned weight (Gemma: 1)
    """

    type: Literal["layernorm"] = "layernorm"
    eps: Epsilon = 1e-5
    affine: Flag = True
    bias: Flag = True
    weight_offset: Number = 0


class RmsNorm(Part):
    """x / sqrt(mean(x²) + eps) * weight, over the last axis (Zhang and Sennrich, 2019,
    arXiv:1910.07467).

    eps: added to the mean square
    affine: learn a weight
    weight_offset: added to the learned weight (Gemma: 1)
    """

    type: Literal["rmsnorm"] = "rmsnorm"
    eps: Epsilon = 1e-5
    affine: Flag = True
    weight_offset: Number = 0


Norm = Annotated[LayerNorm | RmsNorm | Nothing, Tagged("norm", "layernorm")]
declare(Norm)


def plain_layer_norm(norm: object) -> TypeGuard[LayerNorm]:
    """Whether it is a layer norm with weight and bias and without options other than `eps`."""
    return isinstance(norm, LayerNorm) and norm == LayerNorm(eps=norm.eps)


Placement = OneOf[Literal["pre", "post", "sandwich", "output", "none"]]
"""Place of a branch's norm: before the branch; after the addition; before it and on its output;
only
on its output; nowhere."""
