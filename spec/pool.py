"""Pools: how the vectors of a sequence become one."""

from typing import Annotated, Literal

from .part import Nothing, Part, Tagged, declare
from .scalars import Count, Flag, Id, Whole


class FirstPool(Part):
    """The first vector (BERT's [CLS]), even where it is padding.

    tokens: the mean of so many learned tokens in front of an image's patches (AST: 2)
    joined: the tokens side by side instead of their mean (the two classifiers of DeiT, whose scores
        are averaged, are one that reads both; Touvron et al., 2020, arXiv:2012.12877)
    """

    type: Literal["first"] = "first"
    tokens: Count = 1
    joined: Flag = False


class LastPool(Part):
    """The vector of the last token that attention_mask admits; zeros where there is none."""

    type: Literal["last"] = "last"


class MeanPool(Part):
    """The mean over the tokens that attention_mask admits; zeros where there is none.

    skip: learned tokens in front of an image's patches that are left out
    """

    type: Literal["mean"] = "mean"
    skip: Whole = 0


class FirstAndMeanPool(Part):
    """The first vector, and beside it the mean over the tokens that attention_mask admits: twice as
    wide (DINOv2's classes; Oquab et al., 2023, arXiv:2304.07193).

    skip: learned tokens in front of an image's patches that the mean leaves out
    """

    type: Literal["first_and_mean"] = "first_and_mean"
    skip: Whole = 0


class MaxPool(Part):
    """The largest of each number over the tokens that attention_mask admits; zeros where there is
    none.
    """

    type: Literal["max"] = "max"


class AttentionPool(Part):
    """A mean with learned weights: softmax of a linear score for each token that attention_mask
    admits; zeros where there is none.
    """

    type: Literal["attention"] = "attention"


class TokenPool(Part):
    """The vector at the first place of a token (CLIP's end-of-text); the first vector where the
    token is not there.

    id: of that token
    """

    type: Literal["token"] = "token"
    id: Id


Pool = Annotated[
    Nothing
    | FirstPool
    | LastPool
    | MeanPool
    | FirstAndMeanPool
    | MaxPool
    | AttentionPool
    | TokenPool,
    Tagged("pool", "none"),
]
declare(Pool)
