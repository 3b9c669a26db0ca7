"""Inputs: what a stack reads, and how it becomes vectors of its width."""

from typing import Annotated, Literal

from .activation import Activation
from .feed_forward import Glu, Mlp
from .norm import Norm
from .part import NOTHING, Inner, Many, Map, Nothing, OneOf, Part, Tagged, declare
from .scalars import (
    Argument,
    Count,
    Entries,
    Flag,
    InputScale,
    Name,
    NameOrNone,
    OptionalId,
    Rate,
    Sides,
    Whole,
    Width,
)


def pair(sides: int | tuple[int, int]) -> tuple[int, int]:
    """Two numbers, of one that stands for both."""
    return (sides, sides) if isinstance(sides, int) else sides


class Source(Part):
    """An input.

    prefix_tokens: number of learned tokens prepended, with positions
    normalize: normalise the embeddings, or do so before positions are added
    norm: which normalisation
    dropout: dropout rate on the embeddings
    optional: allow the argument to be absent
    """

    prefix_tokens: Whole = 0
    normalize: OneOf[Literal[True, False, "before_positions"]] = False
    norm: Norm | None = None
    dropout: Rate | None = None
    optional: Flag = False


class Tokens(Source):
    """Token ids (B, T), looked up in an embedding table.

    argument: name of the argument of `forward`
    vocab_size: number of entries of the table
    width: width of the table, if it differs from d_model (factorised embedding)
    project: where `width` is projected to d_model
    scale: multiplies the embeddings of the tokens, before others are added; `sqrt_d_model`: by
        √d_model, whatever `width` is
    add: embeddings of further arguments to add: argument -> number of entries; ids are 0 where the
        argument is not given
    tied: share the table of this stack, or `none`
    """

    type: Literal["tokens"] = "tokens"
    argument: Argument = "input_ids"
    vocab_size: Entries | None = None
    width: Width | None = None
    project: OneOf[Literal["after_positions", "before_positions"]] = "after_positions"
    scale: InputScale = 1
    add: Map[Argument, Entries] = {}  # noqa: RUF012 - pydantic copies it
    tied: NameOrNone = "none"


class Patches(Source):
    """Square patches of an image (B, C, H, W), row by row, projected (Dosovitskiy et al., 2020,
    arXiv:2010.11929).

    argument: name of the argument of `forward`
    layout: `image`, or `spectrogram` of one channel: (B, W, H), so many bands of each frame
    image_size: height and width, one number or a list of two
    patch_size: height and width of a patch
    stride: from a patch to the next one below and beside it, one number or a list of two;
        `patch_size` when left out; with less they overlap (AST; Gong et al., 2021,
        arXiv:2104.01778)
    channels: number of image channels
    bias: whether the projection has a bias
    registers: number of learned tokens prepended, without positions, between `prefix_tokens` and
        patches
    """

    type: Literal["patches"] = "patches"
    argument: Argument = "pixel_values"
    layout: OneOf[Literal["image", "spectrogram"]] = "image"
    image_size: Sides
    patch_size: Count
    stride: Sides | None = None
    channels: Count = 3
    bias: Flag | None = None
    registers: Whole = 0

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width."""
        return pair(self.image_size)

    @property
    def steps(self) -> tuple[int, int]:
        """From a patch to the next one, down and across."""
        return pair(self.patch_size if self.stride is None else self.stride)

    @property
    def grid(self) -> tuple[int, int]:
        """How many patches stand below one another, and beside one another."""
        rows, columns = (
            (side - self.patch_size) // step + 1
            for side, step in zip(self.sides, self.steps, strict=True)
        )
        return rows, columns

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one image, as it is given."""
        height, width = self.sides
        return (width, height) if self.layout == "spectrogram" else (self.channels, height, width)


class ConvLayer(Part):
    """One convolution of a stem, then its gate, its norm, and the activation.

    channels: number of output channels
    kernel: kernel size; odd if the stem is `padded`
    stride: stride of the convolution
    dilation: dilation of the convolution
    separable: depthwise convolution followed by a pointwise one; both have a bias if one has
    normalize: the `norm` of the input before the activation: over the `channels` of each frame, or
        over all `frames` of each channel, as a group norm with a group for each, which is a layer
        norm with a weight and a bias
    gated: twice as many channels are made, and half of them gate the others with a sigmoid (GLU;
        Dauphin et al., 2016, arXiv:1612.08083), before the norm
    """

    channels: Count
    kernel: Count
    stride: Count = 1
    dilation: Count = 1
    separable: Flag = False
    normalize: OneOf[Literal[False, "channels", "frames"]] = False
    gated: Flag = False


class ConvStem(Source):
    """Convolutions over a signal (B, channels, frames), whose result is the tokens (Radford et al.,
    2022, arXiv:2212.04356). No frame is padding.

    argument: name of the argument of `forward`
    layout: `channels`: (B, channels, frames), `frames`: (B, frames, channels), or `waveform`:
        (B, frames), one channel
    channels: number of signal channels
    axes: 1 for sound, 2 for images
    layers: the convolutions, in order; d_model channels leave the last
    padded: zeros stand at both ends, so that each convolution has a result for each place, or for
        each `stride`-th one; else only what is read whole has one (wav2vec 2.0; Baevski et al.,
        2020, arXiv:2006.11477)
    activation: activation after each convolution
    bias: whether the convolutions have a bias
    project: a linear layer to d_model behind them, with a bias if `bias` of the stack is true;
        `normalized`: and a norm before it
    scale: multiplies the vectors
    """

    type: Literal["conv"] = "conv"
    argument: Argument = "input_features"
    layout: OneOf[Literal["channels", "frames", "waveform"]] = "channels"
    channels: Count
    axes: OneOf[Literal[1, 2]] = 1
    layers: Many[Inner[ConvLayer]]
    padded: Flag = True
    activation: Activation | None = None
    bias: Flag | None = None
    project: OneOf[Literal[True, False, "normalized"]] = False
    scale: InputScale = 1

    def tokens(self, frames: int) -> int:
        """How many tokens so many frames become."""
        for layer in self.layers:
            reach = 0 if self.padded else layer.dilation * (layer.kernel - 1)
            frames = max(0, (frames - reach - 1) // layer.stride + 1)
        return frames

    def frames(self, tokens: int) -> int:
        """The fewest frames that become so many tokens."""
        for layer in reversed(self.layers):
            reach = 0 if self.padded else layer.dilation * (layer.kernel - 1)
            tokens = (tokens - 1) * layer.stride + reach + 1
        return tokens

    def shape(self, frames: int) -> tuple[int, ...]:
        """Of one signal, as it is given."""
        shapes = {"channels": (self.channels, frames), "frames": (frames, self.channels)}
        return shapes.get(self.layout, (frames,))


class Features(Source):
    """Vectors (B, T, size) from outside; `attention_mask` may hide some.

    argument: name of the argument of `forward`
    size: their width; projected if it differs from d_model
    bias: whether the projection has a bias
    """

    type: Literal["features"] = "features"
    argument: Argument = "inputs_embeds"
    size: Count | None = None
    bias: Flag | None = None


class LearnedInput(Source):
    """Learned vectors (the queries of a Q-Former or DETR).

    tokens: number of vectors
    """

    type: Literal["learned"] = "learned"
    tokens: Count


class LinearProjector(Part):
    """One linear layer.

    bias: whether it has a bias
    """

    type: Literal["linear"] = "linear"
    bias: Flag | None = None


Projector = Annotated[Nothing | LinearProjector | Mlp | Glu, Tagged("projector", "none")]
declare(Projector)


class StackInput(Source):
    """The result of another stack.

    stack: the stack
    projector: projection to this stack's width
    skip: number of leading tokens to drop
    replace: token id whose places the vectors take; `none`: they stand in the order of the list
    """

    type: Literal["stack"] = "stack"
    stack: Name
    projector: Projector = NOTHING
    skip: Whole = 0
    replace: OptionalId = None


Input = Annotated[
    Tokens | Patches | ConvStem | Features | LearnedInput | StackInput, Tagged("input", "tokens")
]
declare(Input)
