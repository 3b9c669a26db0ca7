"""`sublayers`: blocks with arbitrary branches."""

from typing import Annotated, Literal

from .activation import Activation
from .attention import (
    Collaborative,
    CrossAttention,
    Differential,
    Fastformer,
    LinearAttention,
    Mha,
    Mla,
)
from .branch import Branch
from .feed_forward import Glu, Mlp, Moe
from .mask_field import MaskField
from .part import NOTHING, Inner, Many, OneOf, Part, Tagged, declare
from .positions import Positions
from .residual import Residual
from .scalars import Count, Flag, Name


class Own(Branch):
    """Further options of an entry of `sublayers`.

    residual: how its output is added to the residual stream
    stream: the stream that it reads and updates, in a stack with `streams`
    axis: the axis of the stream along which an attention works: 0 or 1
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


class SublayerDifferential(Differential, OwnAttention):
    __doc__ = Differential.__doc__


class SublayerCollaborative(Collaborative, OwnAttention):
    __doc__ = Collaborative.__doc__


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
    """A convolution along the sequence (Gehring et al., 2017, arXiv:1705.03122). The length does
    not change: the sequence is padded with zeros, and padding tokens count as zeros.

    kernel: kernel size; the first input of output t is t - ⌊kernel / 2⌋ · dilation
    dilation: dilation of the convolution
    separable: a depthwise convolution followed by a pointwise one (Kaiser et al., 2017,
        arXiv:1706.03059)
    causal: pad on the left only, so that no output depends on later inputs; the stack then has no
        cache
    activation: activation after the convolution
    activation_first: apply the activation before the convolution instead
    bias: whether the convolutions have a bias
    """

    type: Literal["conv"] = "conv"
    kernel: Count
    dilation: Count = 1
    separable: Flag = False
    causal: Flag = False
    activation: Activation | None = None
    activation_first: Flag = False
    bias: Flag | None = None


class InitialState(Part):
    """The first state of a recurrence: tanh of a linear layer of the last state of another stack's
    recurrence (Bahdanau et al., 2014, arXiv:1409.0473, appendix A.2.2).

    memory: the stack, which ends with a recurrence with `output: none`. Its last state is a
        hidden state of the stack, so it is normalised if a norm follows the recurrence
    direction: `forward`: its state at the last token; `backward`: the state of the backward layer
        at the first token
    """

    memory: Name
    direction: OneOf[Literal["forward", "backward"]] = "forward"


class Recurrence(Own):
    """A recurrent layer. At padding the state stays as it is. The cache keeps the state.

    hidden: width of the hidden state
    bidirectional: run a second layer with its own weights backwards, and concatenate the states of
        both
    bias: whether the linear layers of the inputs and of the output have a bias
    initial: the state before the first token; default: zeros
    attention: attention to another stack, at each token, with the previous state as the query;
        another linear layer adds the result (the context) to the inputs of the gates (Bahdanau et
        al., 2014, arXiv:1409.0473). Its type is `mha` with `value: none` and `output: none`
    result: vectors that are concatenated to form the result: the new `state`, the `previous_state`,
        the `input` (after the norm), or the `context` of the attention
    output: `linear`: a linear layer from the result to d_model; `none`: the result itself. If it is
        wider or narrower than d_model, it needs `residual: none`, and must be the last sublayer of
        a stack with one layer; the stack's output then has this width
    """

    hidden: Count
    bidirectional: Flag = False
    bias: Flag | None = None
    initial: Inner[InitialState] | None = None
    attention: CrossAttention = NOTHING
    result: Many[OneOf[Literal["state", "previous_state", "input", "context"]]] = ("state",)
    output: OneOf[Literal["linear", "none"]] = "linear"


class Gru(Recurrence):
    """Gated recurrent unit (Cho et al., 2014, arXiv:1406.1078): s' = (1 - z) s + z n with the gates
    z, r = sigmoid(W x + U s) and the candidate n. The rows of its weights are those of r, z and n.

    reset: the reset gate multiplies the state `before` the matrix, n = tanh(W x + U (r s)), or the
        product `after` it, n = tanh(W x + r (U s + b)), as in PyTorch's and cuDNN's GRU
    """

    type: Literal["gru"] = "gru"
    reset: OneOf[Literal["before", "after"]] = "before"


class Lstm(Recurrence):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997) with a forget gate (Gers et al.,
    2000): c' = f c + i g and s' = o tanh(c'), with the gates i, f, o = sigmoid(W x + U s) and the
    candidate g = tanh(W x + U s). The rows of its weights are those of i, f, g and o.
    """

    type: Literal["lstm"] = "lstm"


class OuterProductMean(Own):
    """Outer product mean, which updates pairs from a stream of sequences (AlphaFold 2; Jumper et
    al., 2021, supplementary information, algorithm 10): two linear layers of the source; for each
    pair of its second axis, the mean over its first axis of the outer product of their outputs; and
    a linear layer of the resulting `hidden` · `hidden` numbers. The branch's norm is applied to the
    source.

    source: the stream it reads
    hidden: width of the factors
    bias: whether the linear layers have a bias
    """

    type: Literal["outer_product_mean"] = "outer_product_mean"
    source: Name
    hidden: Count
    bias: Flag | None = None


class TriangleMultiplication(Own):
    """Triangle multiplicative update: updates each pair (i, j) from the two other sides of its
    triangles (AlphaFold 2; Jumper et al., 2021, supplementary information, algorithms 11 and 12).
    Two linear layers of the pairs, each gated by the sigmoid of another one, give a and b. The sum
    over k of a(i, k) b(j, k) passes through a norm and a linear layer, gated by the sigmoid of a
    linear layer of the pair.

    hidden: width of the factors
    direction: `outgoing`, or `incoming` edges: a(k, i) b(k, j)
    bias: whether the linear layers have a bias
    """

    type: Literal["triangle_multiplication"] = "triangle_multiplication"
    hidden: Count
    direction: OneOf[Literal["outgoing", "incoming"]]
    bias: Flag | None = None


Sublayer = Annotated[
    SublayerMha
    | SublayerMla
    | SublayerDifferential
    | SublayerCollaborative
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
