"""Residuals: how the branches of a block join its stream."""

from typing import Annotated, Literal

from pydantic import Field

from .part import Nothing, OneOf, Part, Tagged, declare
from .scalars import Flag, MaybeNumber, Number, Rate


class Joining(Part):
    """How the output of a branch is added to the stream.

    scale: multiplies the branch's output, behind a norm that stands there
    stream_scale: multiplies the stream before the addition (DeepNorm's α; Wang et al., 2022,
        arXiv:2203.00555)
    layer_scale: initial value of a learned vector that multiplies the branch's output (Touvron et
        al., 2021, arXiv:2103.17239)
    drop_path: probability of skipping the branch in training, for each sequence of the batch
        (Huang et al., 2016, arXiv:1603.09382)
    from: what the output is added to: the input of the branch, or its normalised input
    float32: in a float16 model, compute the last layer of the feed-forward in float32 and keep its
        sum with the stream in float32: T5's exceed 65504, the largest number of float16
    """

    scale: Number = 1
    stream_scale: Number = 1
    layer_scale: MaybeNumber = "none"
    drop_path: Rate = 0
    from_: OneOf[Literal["input", "normed"]] = Field(default="input", alias="from")
    float32: Flag = False


class Sequential(Joining):
    """Branches run one after another, each with its own residual connection."""

    type: Literal["sequential"] = "sequential"


class Parallel(Joining):
    """All branches read the same input, and their outputs are added to it (GPT-J, PaLM).

    There is one sum, so with `norm_placement: post` all branches have the same norm, which stands
    behind it.

    shared_norm: use one norm for all branches; several need it to be added to their normed input
    """

    type: Literal["parallel"] = "parallel"
    shared_norm: Flag = False


Residual = Annotated[Sequential | Parallel | Nothing, Tagged("residual", "sequential")]
declare(Residual)
