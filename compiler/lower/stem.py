"""Signals: convolutions whose results are the tokens.

Two convolutions over a spectrogram: Radford et al. 2022, arXiv:2212.04356 (Whisper). A filter for
each channel, then a mixing of channels: Chollet 2016, arXiv:1610.02357.
"""

from __future__ import annotations

from ...spec.embedding import ConvLayer, ConvStem
from ..axes import B, Dim, T
from ..sizes import Size
from .builder import Builder
from .feed_forward import lower_activation
from .state import StackState


def lower_stem(b: Builder, state: StackState, source: ConvStem) -> str:
    """The vectors of a signal, (B, T, D): one for every so many frames."""
    step = 1
    for layer in source.layers:
        step *= layer.stride
    channels = Dim("channels", b.size("channels", source.channels))
    shape = (B, channels, _times(step))
    with b.in_scope(""):
        x = state.ids = b.op(
            "argument", name=source.argument, out=source.argument, shape=shape, dtype="float"
        )
    with b.in_scope(state.scope):
        for index, layer in enumerate(source.layers):
            step //= layer.stride
            last = index == len(source.layers) - 1
            with b.at("layers", index), b.within(f"conv{index + 1}"):
                width = state.width if last else _channels(b, layer, index + 1)
                y = _convolved(b, source, layer, x, f"conv{index + 1}", (width, _times(step)))
                inline = last and not layer.separable
                x = b.rename(lower_activation(b, source.activation, y), "" if inline else "x")
        return b.op("swap_axes", x, out="x")


def _times(step: int) -> Dim:
    return T if step == 1 else T.times(step)


def _channels(b: Builder, layer: ConvLayer, number: int) -> Dim:
    return Dim(f"Z{number}", b.size(f"conv{number}_channels", layer.channels))


def _convolved(
    b: Builder, source: ConvStem, layer: ConvLayer, x: str, name: str, out: tuple[Dim, Dim]
) -> str:
    """One convolution; a separable one filters each channel first, then mixes them."""
    width, length = out
    read = b.shape(x)[1]

    def convolve(x: str, name: str, width: Dim, kernel: Size, stride: int, *, each: bool) -> str:
        channels = b.shape(x)[1]
        return b.op(
            "convolve",
            x,
            name=name,
            channels=channels.size,
            out_dim=width,
            length=length,
            kernel=kernel,
            stride=b.size("stride", stride) if stride > 1 else Size.of(1),
            dilation=_dilation(b, layer) if int(kernel) > 1 else Size.of(1),
            each=each,
            bias=bool(source.bias),
        )

    kernel = b.size("kernel", layer.kernel)
    if not layer.separable:
        return convolve(x, name, width, kernel, layer.stride, each=False)
    x = convolve(x, f"{name}_depthwise", read, kernel, layer.stride, each=True)
    return convolve(x, name, width, Size.of(1), 1, each=False)


def _dilation(b: Builder, layer: ConvLayer) -> Size:
    return b.size("dilation", layer.dilation) if layer.dilation > 1 else Size.of(1)
