"""`sublayers`: blocks of another build, any branches in any order."""

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
    """What an entry of `sublayers` may say besides the options of its type.

    residual: how its output is added to the stream
    stream: the stream it is added to
    axis: the axis of the stream it works along
    """

    residual: Residual | None = None
    stream: Name | None = None
    axis: OneOf[Literal[0, 1]] | None = None


class OwnAttention(Own):
    """An attention in `sublayers`.

    memory: the stack it attends to instead of its own stream
    mask: its attention mask
    positions: its position encodings
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

    kernel: its width
    dilation: distance between the vectors it reads
    separable: one filter per channel, then a mixing
    causal: it reads no vector behind the one it writes
    activation: after it
    """

    type: Literal["conv"] = "conv"
    kernel: Count
    dilation: Count = 1
    separable: Flag = False
    causal: Flag = False
    activation: Activation | None = None


class Recurrence(Own):
    """A state that is carried along the sequence.

    hidden: width of its state
    bidirectional: a second one runs from the end
    attention: asked with the previous state; its context joins the input
    """

    hidden: Count
    bidirectional: Flag = False
    attention: CrossAttention = NOTHING


class Gru(Recurrence):
    """A recurrence with gates (Cho et al., 2014, arXiv:1406.1078)."""

    type: Literal["gru"] = "gru"


class Lstm(Recurrence):
    """A recurrence with a memory cell (Hochreiter and Schmidhuber, 1997)."""

    type: Literal["lstm"] = "lstm"


class OuterProductMean(Own):
    """Pairs from a stream of sequences (Jumper et al., 2021).

    source: the stream read
    hidden: width of the factors
    """

    type: Literal["outer_product_mean"] = "outer_product_mean"
    source: Name
    hidden: Count


class TriangleMultiplication(Own):
    """Pairs from the two other sides of each triangle (Jumper et al., 2021).

    hidden: width of the factors
    direction: of the edges
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
