"""Stems of convolutions over a signal."""

from __future__ import annotations

import numpy as np

from ...spec.embedding import ConvLayer, ConvStem
from ...spec.model import Stack
from .convolution import grouped
from .errors import unknown
from .pointwise import activate, normalize, sigmoid
from .weights import Array, Weights


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
