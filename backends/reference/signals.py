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


def convolve_image(call: Call) -> Array:
    """(B, channels, height, width) to (B, D, height out, width out), pixel by pixel."""
    x, weight = call.given("x"), call.weights["weight"]
    stride, dilation, kernel = (call.value(key) for key in ("stride", "dilation", "kernel"))
    reach = (kernel - 1) * dilation
    around = kernel // 2 * dilation if call.value("padded") else 0
    x = np.pad(x, ((0, 0), (0, 0), (around, around), (around, around)))
    tops, lefts = (range(0, side - reach, stride) for side in x.shape[2:])
    result = np.zeros((len(x), len(weight), len(tops), len(lefts)))
    groups = call.value("groups")
    filters, channels = len(weight) // groups, x.shape[1] // groups
    for row, top in enumerate(tops):
        for column, left in enumerate(lefts):
            seen = x[:, :, top : top + reach + 1 : dilation, left : left + reach + 1 : dilation]
            for o in range(len(weight)):
                theirs = slice(o // filters * channels, (o // filters + 1) * channels)
                result[:, o, row, column] = (seen[:, theirs] * weight[o]).sum(axis=(1, 2, 3))
    return result + call.weights["bias"][:, None, None] if "bias" in call.weights else result


def zero_padding(call: Call) -> Array:
    """(B, T, D) with zeros at padding."""
    x, mask = call.given("x"), call.optional("attention_mask")
    return x if mask is None else np.where(as_mask(mask)[:, :, None], x, 0.0)


def group_norm(call: Call) -> Array:
    """Normalise each channel of (B, D, T), or of images, over its frames or pixels."""
    x = call.given("x")
    axes = tuple(range(2, x.ndim))
    apart = x - x.mean(axis=axes, keepdims=True)
    variance = (apart**2).mean(axis=axes, keepdims=True)
    normed = apart / np.sqrt(variance + call.value("eps"))
    weight, bias = (call.weights[key].reshape(-1, *[1] * len(axes)) for key in ("weight", "bias"))
    scaled: Array = normed * weight + bias
    return scaled


def glu(call: Call) -> Array:
    """The first half of the channels times the sigmoid of the second half."""
    one, other = np.split(call.given("x"), 2, axis=1)
    gated: Array = one / (1 + np.exp(-other))
    return gated


def swap_axes(call: Call) -> Array:
    """(B, D, T) to (B, T, D)."""
    return call.given("x").swapaxes(-1, -2)


def flatten_image(call: Call) -> Array:
    """(B, D, height, width) to (B, T, D)."""
    x = call.given("x")
    return x.reshape(*x.shape[:2], -1).swapaxes(1, 2)


def channels_last(call: Call) -> Array:
    return np.moveaxis(call.given("x"), 1, -1)


def channels_first(call: Call) -> Array:
    return np.moveaxis(call.given("x"), -1, 1)


def add_axis(call: Call) -> Array:
    """One channel: (B, ...) to (B, 1, ...)."""
    return call.given("x")[:, None]
