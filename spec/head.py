"""Heads: what a model makes of the hidden states."""

from typing import Annotated, Literal

from .activation import Activation, Identity
from .norm import Norm
from .part import NOTHING, Inner, Map, Nothing, OneOf, Part, Tagged, declare
from .pool import Pool
from .scalars import (
    Count,
    Entries,
    Flag,
    HeadScale,
    Maybe,
    Name,
    Number,
    OptionalCount,
    Positive,
    Rate,
)


class DenseTransform(Part):
    """A linear layer, an activation and a norm before the vocabulary (BERT).

    width: numbers that remain (RemBERT: Chung et al., 2020, arXiv:2010.12821); `none`: as many as
        the table has that the head is tied to, else those of the stack
    inner: width of one more linear layer before, with the same activation; `none`: there is none
    activation: activation after the linear layer
    norm: normalisation after the activation
    bias: whether the linear layer has a bias
    """

    type: Literal["dense"] = "dense"
    width: OptionalCount = None
    inner: OptionalCount = None
    activation: Activation | None = None
    norm: Norm | None = None
    bias: Flag = True


class Maxout(Part):
    """The maximum of each pair of numbers (Goodfellow et al., 2013, arXiv:1302.4389).

    hidden: output width
    """

    type: Literal["maxout"] = "maxout"
    hidden: Count


Transform = Annotated[Nothing | DenseTransform | Maxout, Tagged("transform", "none")]
declare(Transform)


class HeadPart(Part):
    """A head.

    stack: the stack it reads; default: the last one
    """

    stack: Name | None = None


class LanguageModel(HeadPart):
    """Logits over the vocabulary: (B, T, vocab_size).

    vocab_size: number of logits; default: that of the stack
    tied: use the token embedding of the stack as weight
    bias: whether the logits have a bias
    transform: layers before the projection to logits
    input_scale: multiplies the hidden states, before the transform; `1/sqrt_d_model`: by 1/√d_model
        (T5)
    scale: multiplies the logits, their bias too
    softcap: scaled logits become softcap · tanh(logits / softcap) (Gemma 2)
    """

    type: Literal["language_model"] = "language_model"
    vocab_size: Entries | None = None
    tied: Flag = False
    bias: Flag = False
    transform: Transform = NOTHING
    input_scale: HeadScale = 1
    scale: Number = 1
    softcap: Maybe = "none"


class Classifier(HeadPart):
    """Logits over classes: (B, classes), or (B, T, classes) without a pool.

    classes: number of classes
    pool: how the sequence is reduced to one vector
    pooled_norm: normalise that vector (BEiT)
    norm: which normalisation
    hidden: width of a hidden layer, or `none`
    activation: activation of the hidden layer
    dropout: dropout rate before the last layer
    bias: whether the last layer has a bias
    """

    type: Literal["classifier"] = "classifier"
    classes: Count
    pool: Pool = NOTHING
    pooled_norm: Flag = False
    norm: Norm | None = None
    hidden: OptionalCount = None
    activation: Activation | None = None
    dropout: Rate | None = None
    bias: Flag = True


class ProjectionHead(HeadPart):
    """A vector: (B, size), or (B, T, size) without a pool.

    size: width of the vector
    pool: how the sequence is reduced to one vector
    activation: after the linear layer (the pooler of BERT: tanh)
    bias: whether the linear layer has a bias
    normalize: scale the vector to length 1
    """

    type: Literal["projection"] = "projection"
    size: Count
    pool: Pool = NOTHING
    activation: Activation = Identity.model_construct()
    bias: Flag = True
    normalize: Flag = False


class Tower(Part):
    """One side of a contrastive head.

    pool: how the sequence is reduced to one vector
    """

    pool: Pool


class Contrastive(Part):
    """How well each item of one stack fits each of another, (B, B): the cosines of their vectors,
    times the exponential of a learned number; a row for each item of the first tower (Radford et
    al., 2021, arXiv:2103.00020).

    size: of the space where they meet, which each tower is projected to without a bias
    towers: the stacks compared: name -> pooling
    loss: of the scores, where items at the same place belong together: `softmax` over each row and
        each column, or the `sigmoid` of each pair, with a learned bias from -10 (SigLIP; Zhai et
        al., 2023, arXiv:2303.15343), which the scores have too
    temperature: initial value of the learned temperature that divides the cosines
    """

    type: Literal["contrastive"] = "contrastive"
    size: Count
    towers: Map[Name, Inner[Tower]]
    loss: OneOf[Literal["softmax", "sigmoid"]] = "softmax"
    temperature: Positive = 0.07


class PatchesHead(HeadPart):
    """An image (B, channels, H, W) from the patches of its stack.

    channels: number of image channels
    """

    type: Literal["patches"] = "patches"
    channels: Count


Head = Annotated[
    Nothing | LanguageModel | Classifier | ProjectionHead | Contrastive | PatchesHead,
    Tagged("head", "none"),
]
declare(Head, "heads")
