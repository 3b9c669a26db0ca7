"""Pooling of a sequence to one vector."""

from typing import Annotated, Literal

from .part import Nothing, Part, Tagged, declare
from .scalars import Count, Flag, Id, Whole


class FirstPool(Part):
    """The vector of the first token (BERT's [CLS]), even where it is padding.

    tokens: average this many `prefix_tokens` (AST: 2)
    joined: concatenate these tokens instead of averaging them (DeiT averages the logits of two
        classifiers, which equals one classifier that reads both tokens; Touvron et al., 2020,
        arXiv:2012.12877)
    """

    type: Literal["first"] = "first"
    tokens: Count = 1
    joined: Flag = False


class LastPool(Part):
    """The last token's vector, not counting padding (`attention_mask`); zeros if there is none."""

    type: Literal["last"] = "last"


class MeanPool(Part):
    """The mean over the tokens that are not padding (`attention_mask`); zeros if there are none.

    skip: number of `prefix_tokens` and `registers` of an image to leave out
    """

    type: Literal["mean"] = "mean"
    skip: Whole = 0


class FirstAndMeanPool(Part):
    """The vector of the first token, even where it is padding, concatenated with the mean over the
    tokens that are not padding (`attention_mask`); twice as wide (DINOv2's classifier; Oquab et
    al., 2023, arXiv:2304.07193).

    skip: number of `prefix_tokens` and `registers` of an image to leave out of the mean
    """

    type: Literal["first_and_mean"] = "first_and_mean"
    skip: Whole = 0


class MaxPool(Part):
    """The elementwise maximum over the tokens that are not padding (`attention_mask`); zeros if
    there are none.
    """

    type: Literal["max"] = "max"


class AttentionPool(Part):
    """A weighted mean over the tokens that are not padding (`attention_mask`), with weights from a
    softmax of one linear score per token; zeros if there are none.
    """

    type: Literal["attention"] = "attention"


class TokenPool(Part):
    """The vector at the first occurrence of a token id (CLIP's end-of-text token); the first vector
    if it does not occur.

    id: the token id
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
