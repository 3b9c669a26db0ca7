"""Conditions: a vector that shifts, scales and gates every layer."""

from typing import Annotated, Literal

from .part import Many, Nothing, Part, Tagged, declare
from .pool import Pool
from .scalars import Argument, Count, Name, Rate


class Timestep(Part):
    """Sines and cosines of a time, through a small network.

    argument: of the model, (B,)
    frequencies: how many
    """

    type: Literal["timestep"] = "timestep"
    argument: Argument = "timesteps"
    frequencies: Count = 256


class Label(Part):
    """A learned vector for each class.

    argument: of the model, (B,)
    classes: how many
    dropout: chance to replace the class by a learned "no class"
    """

    type: Literal["label"] = "label"
    argument: Name = "labels"
    classes: Count
    dropout: Rate = 0


class Vector(Part):
    """A vector from outside, projected.

    argument: of the model, (B, size)
    size: its width
    """

    type: Literal["vector"] = "vector"
    argument: Argument
    size: Count


class Pooled(Part):
    """The pooled result of another stack.

    stack: which
    pool: how
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
    """The same, and every branch is gated by a number that starts at zero."""

    type: Literal["adaln_zero"] = "adaln_zero"


Condition = Annotated[Nothing | AdaLn | AdaLnZero, Tagged("condition", "none")]
declare(Condition)
