"""Conditioning: a vector that shifts, scales and gates every layer."""

from typing import Annotated, Literal

from .part import Many, Nothing, Part, Tagged, declare
from .pool import Pool
from .scalars import Argument, Count, Name, Rate


class Timestep(Part):
    """Sinusoidal embedding of a timestep, followed by a small network.

    argument: name of the argument of `forward`, (B,)
    frequencies: number of frequencies
    """

    type: Literal["timestep"] = "timestep"
    argument: Argument = "timesteps"
    frequencies: Count = 256


class Label(Part):
    """A learned vector for each class.

    argument: name of the argument of `forward`, (B,)
    classes: number of classes
    dropout: probability of replacing the class by a learned "no class"
    """

    type: Literal["label"] = "label"
    argument: Name = "labels"
    classes: Count
    dropout: Rate = 0


class Vector(Part):
    """A vector argument, projected.

    argument: name of the argument of `forward`, (B, size)
    size: width of the vector
    """

    type: Literal["vector"] = "vector"
    argument: Argument
    size: Count


class Pooled(Part):
    """The pooled output of another stack.

    stack: name of the stack
    pool: how the sequence is reduced to one vector
    """

    type: Literal["pooled"] = "pooled"
    stack: Name
    pool: Pool


Embed = Annotated[Timestep | Label | Vector | Pooled, Tagged("embed")]
declare(Embed)


class Adaptive(Part):
    """Every norm is shifted and scaled by the condition (Peebles and Xie, 2022, arXiv:2212.09748).

    embed: the vectors that are summed
    """

    embed: Many[Embed]


class AdaLn(Adaptive):
    __doc__ = Adaptive.__doc__
    type: Literal["adaln"] = "adaln"


class AdaLnZero(Adaptive):
    """`adaln`, and every branch is multiplied by a gate that is initialised to zero."""

    type: Literal["adaln_zero"] = "adaln_zero"


Condition = Annotated[Nothing | AdaLn | AdaLnZero, Tagged("condition", "none")]
declare(Condition)
