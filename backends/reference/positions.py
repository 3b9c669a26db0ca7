"""Positions: how they are counted, and what they become.

sinusoid       Vaswani et al. 2017, arXiv:1706.03762
rope           Su et al. 2021, arXiv:2104.09864; scaled linearly: Chen et al. 2023,
               arXiv:2306.15595; scaled by wavelength: Llama Team 2024, arXiv:2407.21783
alibi          Press, Smith, Lewis 2021, arXiv:2108.12409
relative_bias  Raffel et al. 2019, arXiv:1910.10683
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...compiler.sizes import number
from .call import Array, Call, as_mask


def position_ids(call: Call) -> Array:
    """The position of each token, (B, T): as given, or counted from 0 by the op's rule.

    `index` counts every token. `mask` and `tokens` count real tokens only; padding gets -1, which
    the offset of a learned table makes a place of its own.
    """
    given, data = call.optional(0), call.optional(1)
    if given is not None:
        return np.broadcast_to(given, (call.batch, call.tokens))
    if call.attrs["rule"] == "index" or data is None:
        return np.broadcast_to(np.arange(call.tokens), (call.batch, call.tokens))
    real = as_mask(data) if call.attrs["rule"] == "mask" else data != call.value("pad")
    counted: Array = np.cumsum(real, axis=1) * real - 1
    return counted


def sinusoid(call: Call) -> Array:
    """Sines and cosines of each position, (B, T, D)."""
    width = int(call.attrs["width"].size)
    if width % 2:
        raise ValueError(f"sinusoid: the width {width} is odd")
    half = width // 2
    denominator = half if call.attrs["denominator"] == "half" else half - 1
    frequencies = np.array([10000.0 ** (-i / denominator) for i in range(half)])
    angles = call.given(0)[..., None] * frequencies
    if call.attrs["layout"] == "concat":
        return np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)
    result = np.empty((*angles.shape[:-1], width))
    result[..., 0::2], result[..., 1::2] = np.sin(angles), np.cos(angles)
    return result


# -- rotation


def _linear(frequency: float, scaling: Mapping[str, Any]) -> float:
    return frequency / float(scaling["factor"])


def _llama3(frequency: float, scaling: Mapping[str, Any]) -> float:
    """Short waves stay, long ones are divided by the factor, those between are mixed."""
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    turns = scaling["original_max_positions"] * frequency / (2 * math.pi)
    if turns > high:
        return frequency
    if turns < low:
        return frequency / float(scaling["factor"])
    smooth = (turns - low) / (high - low)
    return float((1 - smooth) * frequency / scaling["factor"] + smooth * frequency)


SCALINGS: dict[str, Callable[[float, Mapping[str, Any]], float]] = {
    "linear": _linear,
    "llama3": _llama3,
}


def frequencies(width: int, theta: float, scaling: Mapping[str, Any] | None) -> list[float]:
    """The angle that each pair of columns turns by from one position to the next."""
    plain = [theta ** (-2 * i / width) for i in range(width // 2)]
    if scaling is None:
        return plain
    numbers = {key: number(value) for key, value in scaling.items()}
    return [SCALINGS[numbers["type"]](frequency, numbers) for frequency in plain]


def rope_table(call: Call) -> tuple[Array, Array]:
    """Cosine and sine of the angle of each position and pair, both (B, T, R/2)."""
    turns = frequencies(call.value("width"), call.value("theta"), call.attrs.get("scaling"))
    angles = call.given(0)[..., None] * np.array(turns)
    return np.cos(angles), np.sin(angles)


def rotate(call: Call) -> Array:
    """The first `width` columns of each head turned, pair by pair; the others as they are."""
    x, cos, sin = call.given(0), call.given(1), call.given(2)
    cos, sin = cos[..., None, :, :], sin[..., None, :, :]  # the same for every head
    width = call.value("width")
    half = width // 2
    if call.attrs["layout"] == "interleaved":
        first, second = np.arange(0, width, 2), np.arange(1, width, 2)
    else:
        first, second = np.arange(half), np.arange(half, width)
    result = x.copy()
    result[..., first] = x[..., first] * cos - x[..., second] * sin
    result[..., second] = x[..., first] * sin + x[..., second] * cos
    return result


# -- biases of the scores


def alibi_slopes(heads: int, rule: str) -> list[float]:
    """One slope per head: 2^(-8/n), its square, its cube … for a power of two n.

    For another number of heads, `floor` takes the slopes of the power of two below and fills up
    with every other slope of twice as many heads; `ceil` takes the slopes of the power of two
    above, every other one first.
    """
    below = 2 ** int(math.log2(heads))
    if below == heads:
        return _geometric(heads)
    if rule == "floor":
        return _geometric(below) + _geometric(2 * below)[0::2][: heads - below]
    above = _geometric(2 * below)
    return (above[1::2] + above[0::2])[:heads]


def _geometric(heads: int) -> list[float]:
    return [2 ** (-8 * (i + 1) / heads) for i in range(heads)]


def _distances(call: Call) -> Array:
    """key - query for every pair, (T, S)."""
    places = np.arange(call.tokens)
    return places[None, :] - places[:, None]


def alibi(call: Call) -> Array:
    """A penalty that grows with the distance, (H, T, S)."""
    slopes = np.array(alibi_slopes(int(call.attrs["heads"].size), call.attrs["rule"]))
    factor = call.value("scale")
    bias: Array = -slopes[:, None, None] * np.abs(_distances(call))
    return bias if factor is None else bias * factor


def bucket(distance: int, *, buckets: int, max_distance: int, bidirectional: bool) -> int:
    """The T5 bucket of one distance (key - query), in whole numbers throughout.

    Half of the buckets hold one distance each, the others grow geometrically up to
    `max_distance`; what lies further falls into the last one. In two directions, the keys behind
    the query have the upper half of the buckets.
    """
    start = 0
    if bidirectional:
        buckets //= 2
        start = buckets if distance > 0 else 0
        distance = abs(distance)
    else:
        distance = max(-distance, 0)
    exact = buckets // 2
    if distance < exact:
        return start + distance
    wide = buckets - exact
    # the last j with (distance / exact)^wide >= (max_distance / exact)^j
    found = 0
    while found < wide - 1 and _reaches(distance, exact, max_distance, wide, found + 1):
        found += 1
    return start + exact + found


def _reaches(distance: int, exact: int, max_distance: int, wide: int, j: int) -> bool:
    return bool(distance**wide * exact**j >= max_distance**j * exact**wide)


def relative_buckets(call: Call) -> Array:
    """The bucket of the distance of every pair, (T, S)."""
    rule = {
        "buckets": call.value("buckets"),
        "max_distance": call.value("max_distance"),
        "bidirectional": bool(call.value("bidirectional")),
    }
    distances = _distances(call)
    found = {int(d): bucket(int(d), **rule) for d in np.unique(distances)}
    places: Array = np.vectorize(found.__getitem__, otypes=[np.int64])(distances)
    return places


def relative_bias(call: Call) -> Array:
    """A learned bias for each bucket and head, (H, T, S)."""
    return np.moveaxis(call.weights["weight"][call.given(0)], -1, 0)
