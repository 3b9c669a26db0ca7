"""Convolutions over a signal: stems, and positions that are read from the neighbours."""

import numpy as np

from ...spec.embedding import ConvLayer, ConvStem
from ...spec.model import Stack
from ...spec.positions import Convolution
from .pointwise import activate, normalize, sigmoid
from .weights import Array, Weights, unknown


def grouped(
    x: Array, kernel: Array, groups: int = 1, *, stride: int = 1, dilation: int = 1
) -> Array:
    """y[t, o] = Σ_k Σ_c kernel[o, c, k] x[t · stride + k · dilation, c], without zeros at the ends.

    x: (frames, channels in). kernel: (channels out, channels in / groups, width); outputs of a
    group read the inputs of the same group. (frames out, channels out) come back.
    """
    out, _, width = kernel.shape
    frames = max(0, (len(x) - dilation * (width - 1) - 1) // stride + 1)
    y = np.zeros((frames, out))
    for group in range(groups):
        reads = slice(group * x.shape[1] // groups, (group + 1) * x.shape[1] // groups)
        writes = slice(group * out // groups, (group + 1) * out // groups)
        for k in range(width):
            start = k * dilation
            read = x[start : start + stride * (frames - 1) + 1 : stride, reads]
            y[:, writes] += read @ kernel[writes, :, k].T
    return y


def stem(stack: Stack, source: ConvStem, weights: Weights, signal: Array) -> Array:
    """(frames, channels) -> (T, D) (Radford et al., 2022, arXiv:2212.04356, section 2.2; without
    zeros at the ends: Baevski et al., 2020, arXiv:2006.11477, section 2).
    """
    if source.axes != 1:
        raise unknown(f"convolutions over {source.axes} axes")
    layouts = {"channels": lambda s: s.T, "frames": lambda s: s, "waveform": lambda s: s[:, None]}
    x = np.asarray(layouts[source.layout](signal), np.float64)
    for number, layer in enumerate(source.layers, start=1):
        x = convolve(source, layer, weights, f"conv{number}", x)
    if source.project == "normalized":
        x = normalize(source.norm, weights, "features_norm", x)
    if source.project is not False:
        x = weights.linear("input_projection", x, stack.d_model, bias=stack.bias)
    return x


def convolve(source: ConvStem, layer: ConvLayer, weights: Weights, name: str, x: Array) -> Array:
    """activation(norm(gate(conv(x)))) of one layer."""
    both = layer.dilation * (layer.kernel - 1) if source.padded else 0
    x = np.pad(x, ((both // 2, both - both // 2), (0, 0)))
    steps = {"stride": layer.stride, "dilation": layer.dilation}
    channels = layer.channels * (2 if layer.gated else 1)

    def biased(key: str, y: Array) -> Array:
        return y + weights(f"{key}.bias", y.shape[-1]) if source.bias else y

    if layer.separable:  # one filter per channel, then a mixing (Chollet, 2016, arXiv:1610.02357)
        filters = weights(f"{name}_depthwise.weight", x.shape[-1], 1, layer.kernel)
        x = biased(f"{name}_depthwise", grouped(x, filters, x.shape[-1], **steps))
        x = biased(name, grouped(x, weights(f"{name}.weight", channels, x.shape[-1], 1)))
    else:
        kernel = weights(f"{name}.weight", channels, x.shape[-1], layer.kernel)
        x = biased(name, grouped(x, kernel, **steps))
    if layer.gated:  # Dauphin et al., 2016, arXiv:1612.08083, eq. 1
        x = x[:, : layer.channels] * sigmoid(x[:, layer.channels :])
    axes = {"channels": -1, "frames": 0}  # the second: a group norm with a group for each channel
    if layer.normalize is not False:  # (Wu and He, 2018, arXiv:1803.08494)
        x = normalize(source.norm, weights, f"{name}_norm", x, axes[layer.normalize])
    return activate(source.activation, x)


def convolved(position: Convolution, weights: Weights, x: Array) -> Array:
    """activation(conv(x)) (Baevski et al., 2020, section 2): the kernel reads k // 2 frames before
    a frame; an even one reads one less behind it.
    """
    kernel = weights("position_convolution.weight")
    bias = weights("position_convolution.bias")
    before = position.kernel // 2
    padded = np.pad(x, ((before, position.kernel - 1 - before), (0, 0)))
    return activate(position.activation, grouped(padded, kernel, position.groups) + bias)
