"""Conditioning: a vector that shifts, scales and gates every layer."""

from typing import Annotated, Literal

from .activation import Activation, Silu
from .part import Many, Nothing, OneOf, Part, Tagged, declare
from .pool import Pool
from .scalars import Argument, Count, Flag, LabelsArgument, Name, OptionalCount, Rate


class Timestep(Part):
    """Cosines and sines of a time, followed by two linear layers with an activation between (Ho et
    al., 2020, arXiv:2006.11239; Dhariwal and Nichol, 2021, arXiv:2105.05233).

    argument: name of the argument of `forward`, (B,), integers or floats
    width: number of cosines and sines, which is even: half of them are cosines. The i-th angle is
        time · 10000^(-i / d), where d is the `denominator`
    layout: `cos_sin`: all cosines, then all sines; or `sin_cos`
    denominator: denominator of the exponent: width / 2 (`half`) or width / 2 - 1 (`half_minus_one`)
    hidden: width between the two linear layers, which have biases; default: d_model
    activation: activation between them
    """

    type: Literal["timestep"] = "timestep"
    argument: Argument = "timesteps"
    width: Count = 256
    layout: OneOf[Literal["cos_sin", "sin_cos"]] = "cos_sin"
    denominator: OneOf[Literal["half", "half_minus_one"]] = "half"
    hidden: OptionalCount = None
    activation: Activation = Silu.model_construct()


class Label(Part):
    """A learned vector for each class.

    argument: name of the argument of `forward`, (B,), class indices
    classes: number of classes
    dropout: probability of replacing the class by "no class" in training, for classifier-free
        guidance; if it is above 0, the table has one more entry for it, with index `classes` (Ho
        and Salimans, 2022, arXiv:2207.12598)
    """

    type: Literal["label"] = "label"
    argument: LabelsArgument = "labels"
    classes: Count
    dropout: Rate = 0


class Vector(Part):
    """A vector argument, projected to d_model.

    argument: name of the argument of `forward`, (B, size)
    size: width of the vector
    bias: whether the projection has a bias
    """

    type: Literal["vector"] = "vector"
    argument: Argument
    size: Count
    bias: Flag = True


class Pooled(Part):
    """The pooled output of another stack, projected to d_model.

    stack: name of the stack
    pool: how the sequence is reduced to one vector
    bias: whether the projection has a bias
    """

    type: Literal["pooled"] = "pooled"
    stack: Name
    pool: Pool
    bias: Flag = True


Embed = Annotated[Timestep | Label | Vector | Pooled, Tagged("embed")]
declare(Embed)


class Adaptive(Part):
    """Norms that depend on a vector: the sum of the vectors of `embed`, followed by an activation.
    Each layer has a linear layer that computes a shift and a scale from it for each norm of a
    branch, which becomes norm(x) · (1 + scale) + shift (Peebles and Xie, 2022, arXiv:2212.09748).
    The final norm has its own linear layer. The outputs of a linear layer are ordered by branch:
    the shift and scale of each norm of the branch, then its gate, if any. Those of a norm that
    parallel branches share come first if the norm precedes the branches, and last if it follows
    their sum.

    embed: the vectors that are summed
    activation: activation after the sum, before all linear layers
    """

    embed: Many[Embed]
    activation: Activation = Silu.model_construct()


class AdaLn(Adaptive):
    """Norms with a shift and a scale that depend on the vector.

    embed: the vectors that are summed
    activation: activation after the sum, before all linear layers
    """

    type: Literal["adaln"] = "adaln"


class AdaLnZero(Adaptive):
    """`adaln` with a gate: the output of every branch is multiplied by a vector from the same
    linear layer, before it is added to the residual stream. These linear layers are initialised to
    zero, so that initially no branch contributes.

    embed: the vectors that are summed
    activation: activation after the sum, before all linear layers
    """

    type: Literal["adaln_zero"] = "adaln_zero"


Condition = Annotated[Nothing | AdaLn | AdaLnZero, Tagged("condition", "none")]
declare(Condition)
