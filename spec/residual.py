"""Residuals: how the branches of a block join its stream."""

from typing import Annotated, Literal

from pydantic import Field

from .part import Nothing, OneOf, Part, Tagged, declare
from .scalars import Flag, MaybeNumber, Number, Rate


class Joining(Part):
    """How a branch joins the stream.

    scale: multiplies the branch's output, behind a norm that stands there
    stream_scale: multiplies the stream it joins (DeepNorm's α; Wang et al., 2022, arXiv:2203.00555)
    layer_scale: the value a learned vector on the branch's output starts with (Touvron et al.,
        2021, arXiv:2103.17239)
    drop_path: chance to leave a branch out of a training step, for each row of a batch (Huang et
        al., 2016, arXiv:1603.09382)
    from: what the branch is added to: its input, or its normed input
    """

    scale: Number = 1
    stream_scale: Number = 1
    layer_scale: MaybeNumber = "none"
    drop_path: Rate = 0
    from_: OneOf[Literal["input", "normed"]] = Field(default="input", alias="from")


class Sequential(Joining):
    """Each branch reads the stream that the branch before it has joined."""

    type: Literal["sequential"] = "sequential"


class Parallel(Joining):
    """All branches read the same stream, and their outputs are added together (GPT-J, PaLM).

    shared_norm: one norm serves all branches
    """

    type: Literal["parallel"] = "parallel"
    shared_norm: Flag = False


Residual = Annotated[Sequential | Parallel | Nothing, Tagged("residual", "sequential")]
declare(Residual)
