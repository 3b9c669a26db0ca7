"""Normalisations: which one. Where one stands is said by `norm_placement` and its kin."""

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
    """A layer norm with the weight and the bias of a group norm, whatever its `eps` is."""
    return isinstance(norm, LayerNorm) and norm == LayerNorm(eps=norm.eps)


Placement = OneOf[Literal["pre", "post", "sandwich", "output", "none"]]
"""Where a branch's norm stands: before the branch; after the add; before it and on its output; on
its output only; nowhere."""
