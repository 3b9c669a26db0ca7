"""Inputs of stacks."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeGuard

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
    """A pair, from one number or two."""
    return (sides, sides) if isinstance(sides, int) else sides


class Source(Part):
    """An input. Several inputs of a stack are joined: their vectors are concatenated along the
    sequence, in the order of the list, or interleaved (`join` of the stack). The norm, dropout and
    projection to d_model of each input come first; positions are added to the joined sequence. Each
    input has a module of its own, named after its argument or stack, such as
    `pixel_values_embedding`. If only one of the inputs may have padding, and the number of vectors
    before or after it is fixed, `attention_mask` covers this input only; otherwise it covers the
    whole sequence. If token ids come last, the vectors before them need no labels. A stack with
    joined inputs has no cache yet, and so no `generate`.

    prefix_tokens: number of learned tokens prepended to the input (soft prompts; Lester et al.,
        2021, arXiv:2104.08691). Positions count from the first of them. `attention_mask` covers the
        other tokens only, and labels may leave out the learned tokens. With token ids, the stack
        has no cache yet, and so no `generate`
    normalize: normalise the embeddings: `true` after positions are added, `before_positions` before
    norm: which normalisation
    dropout: dropout rate on the embeddings
    optional: allow the argument to be absent, beside other inputs: nothing is then computed for it,
        and its weights get no gradient. At least one input must be given. The input of a stack that
        is only read as an `optional` input may be absent too
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
    width: width of the embedding table, if it differs from d_model (factorised embedding)
    project: whether `width` is projected to d_model before or after positions are added
    scale: multiplies the token embeddings, before other embeddings are added; `sqrt_d_model`
        multiplies by √d_model, whatever `width` is
    add: further arguments whose embeddings are added, each with its number of entries; an absent
        argument counts as ids of 0
    tied: name of a stack whose embedding table is shared
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
    """Square patches of an image (B, C, H, W), in row-major order, projected linearly (Dosovitskiy
    et al., 2020, arXiv:2010.11929). A patch of a video (`layout: video`) is the same square of
    several frames; the patches of the first frames come first (tubelets; Arnab et al., 2021,
    arXiv:2103.15691).

    argument: name of the argument of `forward`
    layout: `image`; `spectrogram`: (B, W, H) with one channel, where W is the number of frames and
        H the number of frequency bands; or `video`: (B, frames, C, H, W)
    image_size: height and width, one number or a list of two
    patch_size: height and width of a patch
    frames: number of frames of a video
    tubelet_size: number of frames of a patch of a video
    stride: distance between neighbouring patches, one number or a list of two (down, across);
        default: `patch_size`; patches overlap if it is smaller (AST; Gong et al., 2021,
        arXiv:2104.01778). Not for a video
    channels: number of image channels
    bias: whether the projection has a bias
    registers: number of learned tokens between `prefix_tokens` and patches; they take no positions
    """

    type: Literal["patches"] = "patches"
    argument: Argument = "pixel_values"
    layout: OneOf[Literal["image", "spectrogram", "video"]] = "image"
    image_size: Sides
    patch_size: Count
    frames: Count | None = None
    tubelet_size: Count = 1
    stride: Sides | None = None
    channels: Count = 3
    bias: Flag | None = None
    registers: Whole = 0

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width."""
        return pair(self.image_size)

    @property
    def window(self) -> tuple[int, ...]:
        """Frames, if any, height and width of a patch."""
        tubelet = (self.tubelet_size,) * (self.layout == "video")
        return (*tubelet, self.patch_size, self.patch_size)

    @property
    def steps(self) -> tuple[int, ...]:
        """Distance between patches, down and across; of a video, also between their frames."""
        side = self.patch_size if self.stride is None else self.stride
        return (*self.window[:-2], *pair(side))

    @property
    def grid(self) -> tuple[int, ...]:
        """Number of rows and columns of patches; of a video, after those of frames."""
        whole = (self.frames or 0, *self.sides)[-len(self.window) :]
        return tuple(
            (side - size) // step + 1
            for side, size, step in zip(whole, self.window, self.steps, strict=True)
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image or video."""
        height, width = self.sides
        if self.layout == "video":
            return (self.frames or 0, self.channels, height, width)
        return (width, height) if self.layout == "spectrogram" else (self.channels, height, width)


class ConvLayer(Part):
    """One convolution of a stem, followed by its gate, its norm and the activation.

    channels: number of output channels
    kernel: kernel size; odd if the stem is `padded`
    stride: stride of the convolution
    dilation: dilation of the convolution
    separable: a depthwise convolution followed by a pointwise one; `bias` applies to both
    normalize: apply the input's `norm` before the activation: over the `channels` of each frame or
        pixel, or over all `frames` or pixels of each channel (a group norm with one group per
        channel, with the weight and bias of a layer norm)
    gated: gated linear unit before the norm: twice as many output channels, half of which gate the
        others through a sigmoid (GLU; Dauphin et al., 2016, arXiv:1612.08083)
    """

    channels: Count
    kernel: Count
    stride: Count = 1
    dilation: Count = 1
    separable: Flag = False
    normalize: OneOf[Literal[False, "channels", "frames"]] = False
    gated: Flag = False


class ConvStem(Source):
    """Convolutions over a signal (B, channels, frames); their output frames are the tokens (Radford
    et al., 2022, arXiv:2212.04356). Padding of signals is not supported. With `axes: 2`,
    convolutions over an image (B, channels, height, width); the tokens are the pixels of the last
    convolution in row-major order, on a grid like that of patches (Xiao et al., 2021,
    arXiv:2106.14881).

    argument: name of the argument of `forward`
    layout: shape of the argument: `channels`: (B, channels, frames), `frames`: (B, frames,
        channels), or `waveform`: (B, frames), with one channel
    channels: number of channels of the signal or image
    axes: 1 for a signal, 2 for an image; kernels, strides and dilations are the same on both axes
    image_size: with `axes: 2`, height and width of the image, one number or a list of two
    layers: the convolutions, in order; the last must have d_model channels unless `project` is set
    padded: pad with zeros on both sides, so that each convolution has one output per `stride`
        frames; false: no padding (wav2vec 2.0; Baevski et al., 2020, arXiv:2006.11477)
    activation: activation after each convolution
    bias: whether the convolutions have a bias
    project: a linear layer to d_model after the convolutions, with a bias if `bias` of the stack is
        true; `normalized`: with a norm before it
    scale: multiplies the resulting vectors
    """

    type: Literal["conv"] = "conv"
    argument: Argument = "input_features"
    layout: OneOf[Literal["channels", "frames", "waveform"]] = "channels"
    channels: Count
    axes: OneOf[Literal[1, 2]] = 1
    image_size: Sides | None = None
    layers: Many[Inner[ConvLayer]]
    padded: Flag = True
    activation: Activation | None = None
    bias: Flag | None = None
    project: OneOf[Literal[True, False, "normalized"]] = False
    scale: InputScale = 1

    def tokens(self, frames: int) -> int:
        """Number of tokens for this number of frames."""
        for layer in self.layers:
            reach = 0 if self.padded else layer.dilation * (layer.kernel - 1)
            frames = max(0, (frames - reach - 1) // layer.stride + 1)
        return frames

    def frames(self, tokens: int) -> int:
        """The smallest number of frames that gives this number of tokens."""
        for layer in reversed(self.layers):
            reach = 0 if self.padded else layer.dilation * (layer.kernel - 1)
            tokens = (tokens - 1) * layer.stride + reach + 1
        return tokens

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of the images."""
        return pair(self.image_size or 1)

    @property
    def grid(self) -> tuple[int, int]:
        """Number of rows and columns of tokens of an image."""
        rows, columns = map(self.tokens, self.sides)
        return rows, columns

    def shape(self, frames: int) -> tuple[int, ...]:
        """Shape of one signal or image."""
        if self.axes == 2:
            return (self.channels, *self.sides)
        shapes = {"channels": (self.channels, frames), "frames": (frames, self.channels)}
        return shapes.get(self.layout, (frames,))


class Features(Source):
    """Vectors (B, T, size) given as an argument; `attention_mask` may mark padding.

    argument: name of the argument of `forward`
    size: width of the vectors; default: d_model
    project: whether the vectors are projected to d_model; default: if `size` differs from it
    bias: whether the projection has a bias
    add: further arguments (B, T) whose embeddings are added, each with its number of entries, such
        as the row and the column of a patch (pix2struct; Lee et al., 2022, arXiv:2210.03347); an
        absent argument counts as ids of 0
    """

    type: Literal["features"] = "features"
    argument: Argument = "inputs_embeds"
    size: Count | None = None
    project: Flag | None = None
    bias: Flag | None = None
    add: Map[Argument, Entries] = {}  # noqa: RUF012 - pydantic copies it


class LearnedInput(Source):
    """Learned vectors, the same for each sequence: the queries of a stack that attends to another
    one (Q-Former; Li et al., 2023, arXiv:2301.12597). The batch size is that of the other stack.

    tokens: number of vectors
    """

    type: Literal["learned"] = "learned"
    tokens: Count


class ZeroInput(LearnedInput):
    """Vectors of zeros instead, which differ only by positions that are added to queries and keys
    (the object queries of DETR; Carion et al., 2020, arXiv:2005.12872).

    tokens: number of vectors
    """

    type: Literal["zeros"] = "zeros"  # type: ignore[assignment]


class LinearProjector(Part):
    """One linear layer.

    bias: whether it has a bias
    """

    type: Literal["linear"] = "linear"
    bias: Flag | None = None


Projector = Annotated[Nothing | LinearProjector | Mlp | Glu, Tagged("projector", "none")]
declare(Projector)


class StackInput(Source):
    """The output of another stack (N, M, width). `skip` applies first, then `projector`.

    If it is the only input, this stack takes the padding, positions and other data of the tokens
    from that stack.

    With `replace`, the vectors replace the embeddings of the tokens with this id (LLaVA; Liu et
    al., 2023, arXiv:2304.08485): the caller repeats the placeholder token once for each vector.
    They replace the scaled token embeddings, before other embeddings and positions are added.
    Placeholders are filled row by row, with the vectors of the first sequence of the other stack,
    then with those of the next. N need not be the batch size, but there must be as many
    placeholders as vectors. The input of the other stack may be absent if no token has this id, as
    in decoding steps.

    stack: name of the stack
    projector: projection to this stack's width, needed if the widths differ; `d_model` in its
        `d_ff` is the width of this stack
    skip: number of leading vectors to drop, such as a class token
    replace: token id whose embeddings are replaced by the vectors; `none`: concatenate in the order
        of the list
    """

    type: Literal["stack"] = "stack"
    stack: Name
    projector: Projector = NOTHING
    skip: Whole = 0
    replace: OptionalId = None


def has_grid(source: Source) -> TypeGuard[Patches | ConvStem]:
    """Whether the tokens of an input are those of an image or video, in rows and columns."""
    return isinstance(source, Patches) or (isinstance(source, ConvStem) and source.axes == 2)


def grid_axes(sources: Sequence[Source]) -> int:
    """Number of axes of the patches of the inputs: 3 for a video, 2 for an image, else 1."""
    return max((len(source.grid) for source in sources if has_grid(source)), default=1)


def joined(sources: Sequence[Source]) -> tuple[int, ...]:
    """Indices of the inputs that make up the sequence: all but those that replace tokens."""
    return tuple(
        i
        for i, source in enumerate(sources)
        if not isinstance(source, StackInput) or source.replace is None
    )


def interleaved(stacks: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The arguments of the interleaved inputs of a stack, or of the one that it continues."""
    found = stacks.get(name)
    sources: Sequence[Source] = getattr(found, "input", ())
    if getattr(found, "join", "") == "interleave":
        return tuple(getattr(source, "argument", "") for source in sources)
    first = sources[0] if len(sources) == 1 else None
    if not isinstance(first, StackInput) or first.skip or first.prefix_tokens:
        return ()
    return interleaved({key: one for key, one in stacks.items() if key != name}, first.stack)


def main_input(sources: Sequence[Source]) -> int:
    """Index of the input that names a stack's arguments: the token ids, else the first input."""
    ids = (i for i, source in enumerate(sources) if isinstance(source, Tokens))
    return next(ids, 0)


Input = Annotated[
    Tokens | Patches | ConvStem | Features | LearnedInput | ZeroInput | StackInput,
    Tagged("input", "tokens"),
]
declare(Input)
