"""A convolution along a sequence, as a plain loop over the places of its kernel."""

from __future__ import annotations

import numpy as np

from .weights import Array


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
