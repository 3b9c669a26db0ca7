"""Convolutions along the sequence, as sublayers."""

from typing import Any

import numpy as np

from ...spec.sublayers import Conv
from .context import Layer
from .pointwise import activate
from .positions import grouped
from .weights import Array, Weights


def convolution(layer: Layer, part: Conv, weights: Weights, x: Array, memory: Any) -> Array:
    """(T, D) -> (T, D): Gehring et al., 2017, arXiv:1705.03122, section 3.2; separable: Kaiser et
    al., 2017, arXiv:1706.03059, section 2.1. Padding tokens are zeros, as are the places around.
    """
    bias, width = part.bias is True, x.shape[-1]
    if part.activation_first:
        x = activate(part.activation, x)
    reach = part.dilation * (part.kernel - 1)
    before = reach if part.causal else part.kernel // 2 * part.dilation
    x = np.where(layer.tokens.admitted[:, None], x, 0)
    x = np.pad(x, ((before, reach - before), (0, 0)))

    def convolve(name: str, y: Array, groups: int, kernel: int, dilation: int) -> Array:
        filters = weights(f"{name}.weight", width, width // groups, kernel)
        y = grouped(y, filters, groups, dilation=dilation)
        return y + weights(f"{name}.bias", width) if bias else y

    if part.separable:
        y = convolve("depthwise", x, width, part.kernel, part.dilation)
        y = convolve("pointwise", y, 1, 1, 1)
    else:
        y = convolve("convolution", x, 1, part.kernel, part.dilation)
    return y if part.activation_first else activate(part.activation, y)
