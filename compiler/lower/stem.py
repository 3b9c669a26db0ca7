"""Convolutional stems: convolutions over a signal or an image, whose results are the tokens.

Two convolutions over a spectrogram: Radford et al. 2022, arXiv:2212.04356 (Whisper). Depthwise
    separable convolutions: Chollet 2016, arXiv:1610.02357. Convolutions over the
waveform, and one for positions: Baevski et al. 2020, arXiv:2006.11477 (wav2vec 2.0). Convolutions
over an image in place of patches: Xiao et al. 2021, arXiv:2106.14881.
"""

from __future__ import annotations

from typing import Any

from ...spec.embedding import ConvLayer, ConvStem
from ...spec.norm import plain_layer_norm
from ...spec.part import Nothing
from ...spec.positions import Convolution
from ..axes import B, Dim, T
from ..sizes import Size
from .builder import Builder
from .feed_forward import lower_activation
from .norm import lower_norm
from .patches import number_of, two_sizes
from .reads import consume
from .scaled import lower_input_scale
from .state import StackState


def lower_stem(b: Builder, state: StackState, source: ConvStem) -> str:
    """The tokens of a signal or an image, (B, T, D)."""
    image = source.axes == 2
    if image:
        lengths = _sides(b, source)
        _measure(b, state, source, lengths[-1])
        x = _image(b, state, source, lengths[0])
    else:
        lengths = [(length,) for length in _lengths(source, state.own)]
        x = _signal(b, state, source, lengths[0][0])
    with b.in_scope(state.scope):
        for index, layer in enumerate(source.layers):
            last = index == len(source.layers) - 1
            name, width = f"conv{index + 1}", state.width
            with b.within(name):
                with b.at("layers", index):
                    if not last or source.project is not False:
                        width = _channels(b, layer, index + 1)
                    consume(layer, "channels")  # the last one has d_model channels, by a law
                    y = _convolved(b, source, layer, x, name, (width, *lengths[index + 1]))
                    y = _normed(b, source, layer, y, f"{name}_norm")
                inline = last and not layer.separable
                x = b.rename(lower_activation(b, source.activation, y), "" if inline else "x")
        if image:
            length = Dim("G", _pixels(state.grid)) if state.front else state.own
            x = b.op("flatten_image", x, out="x", length=length)
        else:
            with b.as_long_as(state.own):
                x = b.op("swap_axes", x, out="x")
        x = _projected(b, state, source, x)
        return lower_input_scale(b, source.scale, x, state.width)


def lower_convolution(b: Builder, state: StackState, position: Convolution, x: str) -> str:
    """`x` (B, T, D) plus a convolution over it."""
    b.rename(x, "x")
    y = b.op(
        "convolve",
        b.op("swap_axes", x),
        name="position_convolution",
        channels=state.width.size,
        out_dim=state.width,
        length=T,
        kernel=b.size("position_kernel", position.kernel, at=("kernel",)),
        stride=Size.of(1),
        dilation=Size.of(1),
        groups=b.size("position_groups", position.groups, at=("groups",)),
        padded=True,
        bias=True,
    )
    return b.op("add", x, b.op("swap_axes", lower_activation(b, position.activation, y)), out="x")


def _lengths(source: ConvStem, last: Dim) -> list[Dim]:
    """Lengths of the signal and of the output of each convolution; the last one is given."""
    step, lengths = 1, [last]
    for index, layer in reversed(list(enumerate(source.layers))):
        step *= layer.stride
        whole = last if step == 1 else last.times(step)
        # without padding, slightly longer than a multiple of T; used for costs
        lengths.append(whole if source.padded else Dim(f"Y{index or ''}", None, (whole,)))
    return lengths[::-1]


def _sides(b: Builder, source: ConvStem) -> list[tuple[Dim, ...]]:
    """Height and width of the image and of the output of each convolution."""
    assert source.image_size is not None, "refused by the laws"
    sides = two_sizes(
        b, source.image_size, "image_size", "image_size", "image_height", "image_width"
    )
    found, ends = [sides], (sides[0] - 1, sides[1] - 1)  # the last row and column
    same = sides[0] is sides[1]
    for index, layer in enumerate(source.layers):
        with b.within(f"conv{index + 1}"), b.at("layers", index):
            down = _last(b, source, layer, ends[0])
            ends = (down, down if same else _last(b, source, layer, ends[1]))
        if source.padded and layer.stride == 1:
            found.append(found[-1])
            continue
        height = ends[0] + 1
        found.append((height, height if same else ends[1] + 1))
    names = ["", *(str(index + 1) for index in range(len(source.layers)))]
    return [
        (Dim(f"height{name}", height), Dim(f"width{name}", width))
        for name, (height, width) in zip(names, found, strict=True)
    ]


def _last(b: Builder, source: ConvStem, layer: ConvLayer, end: Size) -> Size:
    """The last row or column of an image after a convolution, from that before it."""
    if not source.padded:
        end = end - (b.size("kernel", layer.kernel) - 1) * _dilation(b, layer)
    if layer.stride == 1:
        return end
    after: Size = end.floor(b.size("stride", layer.stride))
    return after


def _measure(b: Builder, state: StackState, source: ConvStem, sides: tuple[Dim, ...]) -> None:
    """Record the number of tokens: those of the last convolution, and the learned ones."""
    rows, columns = (side.size or Size.of(1) for side in sides)
    before = number_of(b, "prefix_tokens", source.prefix_tokens)
    state.grid, state.front = (rows, columns), before
    state.placed = _pixels(state.grid) + before if source.prefix_tokens else _pixels(state.grid)
    b.graph.lengths[state.name] = state.placed


def _pixels(grid: tuple[Size, ...] | None) -> Size:
    """The number of pixels of an image after all convolutions."""
    assert grid is not None, "a stem over an image has a grid"
    rows, columns = grid
    count: Size = rows**2 if rows is columns else rows * columns
    return count


def _image(b: Builder, state: StackState, source: ConvStem, sides: tuple[Dim, ...]) -> str:
    """The argument, (B, channels, height, width)."""
    consume(source, "layout")
    channels = Dim("channels", b.size("channels", source.channels))
    shape = (B, channels, *sides)
    with b.in_scope(""):
        state.ids = b.op(
            "argument", name=source.argument, out=source.argument, shape=shape, dtype="float"
        )
    return state.ids


def _signal(b: Builder, state: StackState, source: ConvStem, length: Dim) -> str:
    """The argument, as (B, channels, frames)."""
    channels = Dim("channels", b.size("channels", source.channels))
    shapes = {"frames": (B, length, channels), "waveform": (B, length)}
    shape = shapes.get(source.layout, (B, channels, length))
    with b.in_scope(""):
        x = state.ids = b.op(
            "argument", name=source.argument, out=source.argument, shape=shape, dtype="float"
        )
    with b.in_scope(state.scope):
        if source.layout == "frames":
            return b.op("swap_axes", x, out="x")
        return b.op("add_axis", x, out="x") if source.layout == "waveform" else x


def _channels(b: Builder, layer: ConvLayer, number: int) -> Dim:
    return Dim(f"Z{number}", b.size(f"conv{number}_channels", layer.channels, at=("channels",)))


def _convolved(
    b: Builder, source: ConvStem, layer: ConvLayer, x: str, name: str, out: tuple[Dim, ...]
) -> str:
    """One convolution, or a depthwise and a pointwise one."""
    width, *lengths = out
    read = b.shape(x)[1]
    kind, size = "convolve", dict[str, Any](length=lengths[0])
    if source.axes == 2:
        kind, size = "convolve_image", dict[str, Any](sides=tuple(lengths))
    made = width.times(2) if layer.gated else width

    def convolve(x: str, name: str, width: Dim, kernel: Size, stride: int, *, each: bool) -> str:
        channels = Size.of(b.shape(x)[1].size or 1)
        return b.op(
            kind,
            x,
            name=name,
            channels=channels,
            out_dim=width,
            **size,
            kernel=kernel,
            stride=b.size("stride", stride) if stride > 1 else Size.of(1),
            dilation=_dilation(b, layer) if int(kernel) > 1 else Size.of(1),
            groups=channels if each else Size.of(1),
            padded=source.padded,
            bias=bool(source.bias),
        )

    kernel = b.size("kernel", layer.kernel)
    if layer.separable:
        x = convolve(x, f"{name}_depthwise", read, kernel, layer.stride, each=True)
        x = convolve(x, name, made, Size.of(1), 1, each=False)
    else:
        x = convolve(x, name, made, kernel, layer.stride, each=False)
    return b.op("glu", x, out_dim=width) if layer.gated else x


def _normed(b: Builder, source: ConvStem, layer: ConvLayer, x: str, name: str) -> str:
    """`x` (B, Z, Y), normalised over channels or over frames; (B, Z, height, width) likewise."""
    norm = source.norm
    assert norm is not None, "the levels fill in every norm"
    if layer.normalize is False or isinstance(norm, Nothing):
        return x
    if layer.normalize == "channels":
        last, first = "swap_axes", "swap_axes"
        if source.axes == 2:
            last, first = "channels_last", "channels_first"
        y = b.op(last, x, out="x")
        with b.beside("input", 0):
            y = lower_norm(b, norm, y, name)
        return b.op(first, y)
    assert plain_layer_norm(norm), "refused by the laws"
    with b.beside("input", 0, "norm"), b.within(name):
        return b.op(
            "group_norm",
            x,
            name=name,
            dim=b.shape(x)[1],
            eps=b.field("eps", norm.eps),
            affine=True,
            bias=True,
            weight_offset=0,
            per_head=None,
        )


def _projected(b: Builder, state: StackState, source: ConvStem, x: str) -> str:
    if source.project is False:
        return x
    if source.project == "normalized":
        x = lower_norm(b, source.norm, x, "features_norm", out="x")
    return b.op(
        "linear",
        x,
        name="input_projection",
        in_features=b.width(x).size,
        out_dim=state.width,
        bias=bool(state.stack.bias),
        out="x",
    )


def _dilation(b: Builder, layer: ConvLayer) -> Size:
    return b.size("dilation", layer.dilation) if layer.dilation > 1 else Size.of(1)
