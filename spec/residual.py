"""Residual connections."""

from typing import Annotated, Literal

from pydantic import Field

from .activation import Activation, Identity
from .part import Nothing, OneOf, Part, Tagged, declare
from .scalars import Flag, MaybeNumber, Number, Rate


class Joining(Part):
    """How the output of a branch is added to the residual stream.

    scale: multiplies the branch's output, after its norm if it has one there
    stream_scale: multiplies the residual stream before the addition (DeepNorm's α; Wang et al.,
        2022, arXiv:2203.00555)
    activation: applied to the branch's output first (`relu` in GTrXL)
    gate: a learned gate of the branch's output y: `rezero`: x + α y, with one learned number α per
        branch, initialised to 0 (Bachlechner et al., 2020, arXiv:2003.04887); `tanh`: x + tanh(α)
        y, with such a number (Alayrac et al., 2022, arXiv:2204.14198); `output`: x + σ(W x + b) ∘
        y; `highway`: σ(W x + b) ∘ x + (1 - σ(W x + b)) ∘ y (Srivastava et al., 2015,
        arXiv:1505.00387); `gru`: (1 - z) ∘ x + z ∘ h with r = σ(W_r y + U_r x), z = σ(W_z y + U_z x
        + b) and h = tanh(W_h y + U_h (r ∘ x)), the gate of GTrXL. x is the vector to which the
        output is added. `output`, `highway` and `gru` are compared by Parisotto et al. (2019,
        arXiv:1910.06764). RegNet's regulator (Xu et al., 2021, arXiv:2101.00590), a convolutional
        recurrence over the feature maps of successive blocks, is not defined for tokens and not
        supported
    gate_bias: the number b_g that b begins with: b = b_g in `highway`, b = -b_g in `output` and
        `gru`. Above 0, layers are close to the identity at the start of training (GTrXL: 2)
    layer_scale: initial value of a learned vector that multiplies the branch's output (Touvron et
        al., 2021, arXiv:2103.17239)
    drop_path: stochastic depth: probability of skipping the branch in training, sampled for each
        sequence (Huang et al., 2016, arXiv:1603.09382)
    from: vector to which the branch's output is added: the branch's input before normalisation
        (`input`) or after it (`normed`), or the input of the block (`block`)
    float32: in a float16 model, compute the last linear layer of the feed-forward in float32 and
        keep the residual stream in float32 after it; T5's values exceed 65504, the largest float16
    """

    scale: Number = 1
    stream_scale: Number = 1
    activation: Activation = Identity.model_construct()
    gate: OneOf[Literal["none", "rezero", "tanh", "output", "highway", "gru"]] = "none"
    gate_bias: Number = 0
    layer_scale: MaybeNumber = "none"
    drop_path: Rate = 0
    from_: OneOf[Literal["input", "normed", "block"]] = Field(default="input", alias="from")
    float32: Flag = False


class Sequential(Joining):
    """Branches run one after another, each with its own residual connection."""

    type: Literal["sequential"] = "sequential"


class Parallel(Joining):
    """All branches read the same input, and their outputs are added to it in one sum (GPT-J, PaLM).

    With `norm_placement: post` one norm follows this sum, so all branches must have the same
    `norm`.

    shared_norm: use one norm for all branches; required by `from: normed` if there are several
        branches
    """

    type: Literal["parallel"] = "parallel"
    shared_norm: Flag = False


Residual = Annotated[Sequential | Parallel | Nothing, Tagged("residual", "sequential")]
declare(Residual)
