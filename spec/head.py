"""Output heads."""

from typing import Annotated, Literal

from .activation import Activation, Identity, Relu
from .norm import Norm
from .part import NOTHING, Inner, Many, Map, Nothing, OneOf, Part, Tagged, declare
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
    """A linear layer, an activation and a norm before the projection to logits (BERT).

    width: output width (RemBERT; Chung et al., 2020, arXiv:2010.12821); `none`: that of the
        embedding table if the head is tied, else d_model
    inner: width of an additional linear layer before it, with the same activation, or `none`
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
    """A linear layer, and the maximum of each pair of its neighbouring outputs (Goodfellow et al.,
    2013, arXiv:1302.4389).

    hidden: output width, half of that of the linear layer
    bias: whether the linear layer has a bias
    """

    type: Literal["maxout"] = "maxout"
    hidden: Count
    bias: Flag = True


Transform = Annotated[Nothing | DenseTransform | Maxout, Tagged("transform", "none")]
declare(Transform)


class HeadPart(Part):
    """A head computes an output of the model from the hidden states of a stack.

    stack: name of the stack it reads; default: the last one
    """

    stack: Name | None = None


class LanguageModel(HeadPart):
    """Logits over the vocabulary: (B, T, vocab_size).

    vocab_size: number of logits; default: `vocab_size` of the stack
    tied: use the stack's token embedding as the weight of the projection
    bias: whether the logits have a bias
    transform: layers before the projection to logits
    input_scale: multiplies the hidden states, before the transform; `1/sqrt_d_model` multiplies by
        1/√d_model (T5)
    scale: multiplies the logits, including their bias
    softcap: replace scaled logits by softcap · tanh(logits / softcap) (Gemma 2)
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
    pooled_norm: normalise the pooled vector (BEiT)
    norm: which normalisation
    hidden: width of a hidden layer before the last one, or `none`
    activation: activation of the hidden layer
    hidden_bias: whether the hidden layer has a bias
    hidden_norm: normalise after the activation of the hidden layer (ModernBERT)
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
    hidden_bias: Flag = True
    hidden_norm: Flag = False
    dropout: Rate | None = None
    bias: Flag = True


class ProjectionHead(HeadPart):
    """A vector: (B, size), or (B, T, size) without a pool.

    size: width of the vector
    places_of: the argument of one of the interleaved inputs of the stack, or of the stack that it
        continues: the head reads the vectors in the places of this input only
    pool: how the sequence is reduced to one vector
    hidden: widths of hidden layers before the linear layer (DETR's boxes; Carion et al., 2020,
        arXiv:2005.12872)
    hidden_activation: activation after each hidden layer
    activation: activation after the linear layer (BERT's pooler: tanh)
    bias: whether the linear layers have a bias
    normalize: divide the vector by its Euclidean norm
    """

    type: Literal["projection"] = "projection"
    size: Count
    places_of: Name | None = None
    pool: Pool = NOTHING
    hidden: Many[Count] = ()
    hidden_activation: Activation = Relu.model_construct()
    activation: Activation = Identity.model_construct()
    bias: Flag = True
    normalize: Flag = False


class Tower(Part):
    """One side of a contrastive head.

    pool: how the sequence is reduced to one vector
    project: whether a linear layer follows; without one, the width of the stack must be `size`
    """

    pool: Pool
    project: Flag = True


class Contrastive(Part):
    """Similarity logits (B, B) between the items of two stacks, one row per item of the first
    tower: cosine similarities times exp(s), with a learned number s (Radford et al., 2021,
    arXiv:2103.00020). With more towers, such logits for each pair of them, (pairs, B, B), in the
    order (1, 2), (1, 3), …, (2, 3), …; all share s (Girdhar et al., 2023, arXiv:2305.05665).

    size: width of the shared embedding space, to which the towers are projected
    towers: two or more stacks: name -> pooling
    bias: whether the projections have a bias
    loss: loss of the logits, where pairs with equal index match: `softmax` cross-entropy over rows
        and columns, or `sigmoid` of each pair, which adds a learned bias, initialised to -10, to
        the logits (SigLIP; Zhai et al., 2023, arXiv:2303.15343); the mean over pairs of towers
    temperature: initial value of the temperature, exp(-s)
    """

    type: Literal["contrastive"] = "contrastive"
    size: Count
    towers: Map[Name, Inner[Tower]]
    bias: Flag = False
    loss: OneOf[Literal["softmax", "sigmoid"]] = "softmax"
    temperature: Positive = 0.07


class PatchesHead(HeadPart):
    """An image (B, channels, H, W): a linear layer gives the pixels of each patch of the stack's
    input, in the order row, column, channel. `prefix_tokens`, `registers` and the other inputs of
    the stack are left out. The loss is the mean squared error.

    channels: number of channels of the image, which may differ from that of the input
    bias: whether the linear layer has a bias
    zero_init: initialise the linear layer to zero (Peebles and Xie, 2022, arXiv:2212.09748)
    """

    type: Literal["patches"] = "patches"
    channels: Count
    bias: Flag = True
    zero_init: Flag = False


Head = Annotated[
    Nothing | LanguageModel | Classifier | ProjectionHead | Contrastive | PatchesHead,
    Tagged("head", "none"),
]
declare(Head, "heads")
