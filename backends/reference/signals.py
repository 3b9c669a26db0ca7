"""Convolutions over signals, as explicit sums."""

from __future__ import annotations

import numpy as np

from .call import Array, Call, as_mask


def convolve(call: Call) -> Array:
    """(B, channels, frames) to (B, D, frames out) with a stride, with or without zero padding."""
    x, weight = call.given("x"), call.weights["weight"]
    stride, dilation, kernel = (call.value(key) for key in ("stride", "dilation", "kernel"))
    reach = (kernel - 1) * dilation
    before = kernel // 2 * dilation if call.value("padded") else 0
    before = reach if call.value("causal") else before
    last = x.shape[2] - (0 if call.value("padded") or call.value("causal") else reach)
    places = range(0, last, stride)
    result = np.zeros((len(x), len(weight), len(places)))
    groups = call.value("groups")
    filters, channels = len(weight) // groups, x.shape[1] // groups
    for index, place in enumerate(places):
        for j in range(kernel):
            read = place - before + j * dilation
            if not 0 <= read < x.shape[2]:
                continue
            for group in range(groups):
                ours = slice(group * filters, (group + 1) * filters)
                theirs = slice(group * channels, (group + 1) * channels)
                result[:, ours, index] += x[:, theirs, read] @ weight[ours, :, j].T
    return result + call.weights["bias"][:, None] if "bias" in call.weights else result


def zero_padding(call: Call) -> Array:
    """(B, T, D) with zeros at padding."""
    x, mask = call.given("x"), call.optional("attention_mask")
    return x if mask is None else np.where(as_mask(mask)[:, :, None], x, 0.0)


def group_norm(call: Call) -> Array:
    """Normalise each channel of (B, D, T) over its frames."""
    x = call.given("x")
    apart = x - x.mean(axis=2, keepdims=True)
    variance = (apart**2).mean(axis=2, keepdims=True)
    normed = apart / np.sqrt(variance + call.value("eps"))
    scaled: Array = normed * call.weights["weight"][:, None] + call.weights["bias"][:, None]
    return scaled


def glu(call: Call) -> Array:
    """The first half of the channels times the sigmoid of the second half."""
    one, other = np.split(call.given("x"), 2, axis=1)
    gated: Array = one / (1 + np.exp(-other))
    return gated


def swap_axes(call: Call) -> Array:
    """(B, D, T) to (B, T, D)."""
    return call.given("x").swapaxes(-1, -2)


def add_axis(call: Call) -> Array:
    """One channel: (B, ...) to (B, 1, ...)."""
    return call.given("x")[:, None]
