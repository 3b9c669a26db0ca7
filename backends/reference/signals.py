"""Signals: convolutions, as sums over what each place reads."""

from __future__ import annotations

import numpy as np

from .call import Array, Call


def convolve(call: Call) -> Array:
    """(B, channels, frames) to (B, D, places): every `stride`-th place, with zeros around."""
    x, weight = call.given(0), call.weights["weight"]
    stride, dilation, kernel = (call.value(key) for key in ("stride", "dilation", "kernel"))
    places = range(0, x.shape[2], stride)
    result = np.zeros((len(x), len(weight), len(places)))
    for index, place in enumerate(places):
        for j in range(kernel):
            read = place + (j - kernel // 2) * dilation
            if not 0 <= read < x.shape[2]:
                continue
            if call.value("each"):
                result[:, :, index] += x[:, :, read] * weight[:, 0, j]
            else:
                result[:, :, index] += x[:, :, read] @ weight[:, :, j].T
    return result + call.weights["bias"][:, None] if "bias" in call.weights else result


def swap_axes(call: Call) -> Array:
    """(B, D, T) to (B, T, D)."""
    return call.given(0).swapaxes(-1, -2)


def add_axis(call: Call) -> Array:
    """One channel: (B, ...) to (B, 1, ...)."""
    return call.given(0)[:, None]
