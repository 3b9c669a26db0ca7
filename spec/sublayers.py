"""`sublayers`: blocks with arbitrary branches."""

from typing import Annotated, Literal

from .activation import Activation
from .attention import CrossAttention, Fastformer, LinearAttention, Mha, Mla
from .branch import Branch
from .feed_forward import Glu, Mlp, Moe
from .mask_field import MaskField
from .part import NOTHING, OneOf, Tagged, declare
from .positions import Positions
from .residual import Residual
from .scalars import Count, Flag, Name


class Own(Branch):
    """Further options of an entry of `sublayers`.

    residual: how its output is added to the residual stream
    stream: the stream that its output is added to
    axis: the axis of the stream along which it works
    """

    residual: Residual | None = None
    stream: Name | None = None
    axis: OneOf[Literal[0, 1]] | None = None


class OwnAttention(Own):
    """An attention in `sublayers`.

    memory: the stack to attend to, instead of the stream itself
    mask: attention mask
    positions: position encodings
    """

    memory: Name | None = None
    mask: MaskField | None = None
    positions: Positions | None = None


class SublayerMha(Mha, OwnAttention):
    __doc__ = Mha.__doc__


class SublayerMla(Mla, OwnAttention):
    __doc__ = Mla.__doc__


class SublayerLinearAttention(LinearAttention, OwnAttention):
    __doc__ = LinearAttention.__doc__


class SublayerFastformer(Fastformer, OwnAttention):
    __doc__ = Fastformer.__doc__


class SublayerMlp(Mlp, Own):
    __doc__ = Mlp.__doc__


class SublayerGlu(Glu, Own):
    __doc__ = Glu.__doc__


class SublayerMoe(Moe, Own):
    __doc__ = Moe.__doc__


class Conv(Own):
    """A convolution along the sequence (Gulati et al., 2020, arXiv:2005.08100).

    kernel: kernel size
    dilation: dilation of the convolution
    separable: a depthwise convolution followed by a pointwise one
    causal: pad on the left only, so that no output depends on later inputs
    activation: activation after the convolution
    """

    type: Literal["conv"] = "conv"
    kernel: Count
    dilation: Count = 1
    separable: Flag = False
    causal: Flag = False
    activation: Activation | None = None


class Recurrence(Own):
    """A recurrent layer.

    hidden: width of the hidden state
    bidirectional: run a second layer from the end to the beginning
    attention: attention with the previous state as the query; its result is concatenated to the
        input
    """

    hidden: Count
    bidirectional: Flag = False
    attention: CrossAttention = NOTHING


class Gru(Recurrence):
    """Gated recurrent unit (Cho et al., 2014, arXiv:1406.1078)."""

    type: Literal["gru"] = "gru"


class Lstm(Recurrence):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997)."""

    type: Literal["lstm"] = "lstm"


class OuterProductMean(Own):
    """Outer product mean, which updates pairs from a stream of sequences (Jumper et al., 2021).

    source: the stream it reads
    hidden: width of the factors
    """

    type: Literal["outer_product_mean"] = "outer_product_mean"
    source: Name
    hidden: Count


class TriangleMultiplication(Own):
    """Triangle multiplicative update: each pair from the two other sides of its triangles (Jumper
    et al., 2021).

    hidden: width of the factors
    direction: direction of the edges
    """

    type: Literal["triangle_multiplication"] = "triangle_multiplication"
    hidden: Count
    direction: OneOf[Literal["outgoing", "incoming"]]


Sublayer = Annotated[
    SublayerMha
    | SublayerMla
    | SublayerLinearAttention
    | SublayerFastformer
    | SublayerMlp
    | SublayerGlu
    | SublayerMoe
    | Conv
    | Gru
    | Lstm
    | OuterProductMean
    | TriangleMultiplication,
    Tagged("sublayers"),
]
declare(Sublayer)
