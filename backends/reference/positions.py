"""Positions; rotation is in `rotary`.

sinusoid       Vaswani et al. 2017, arXiv:1706.03762
temperature    Nakanishi 2025, arXiv:2501.19399
alibi          Press, Smith, Lewis 2021, arXiv:2108.12409
relative_bias  Raffel et al. 2019, arXiv:1910.10683
disentangled   He et al. 2020, arXiv:2006.03654; its buckets: He et al. 2021, arXiv:2111.09543
transformer_xl Dai et al. 2019, arXiv:1901.02860
"""

from __future__ import annotations

import math

import numpy as np

from .call import Array, Call, as_mask


def position_ids(call: Call) -> Array:
    """The position of each token, (B, T): as given, or counted from 0 by the op's rule.

    `index` counts all tokens. `mask` and `tokens` count real tokens only; padding gets -1, before
    the offset is added.
    """
    given, data = call.optional("position_ids"), call.optional("data")
    if given is not None:
        return np.broadcast_to(given, (call.batch, call.tokens))
    if call.attrs["rule"] == "index" or data is None:
        places = np.arange(call.tokens) // call.attrs["turn"]
        return np.broadcast_to(places, (call.batch, call.tokens))
    real = as_mask(data) if call.attrs["rule"] == "mask" else data != call.value("pad")
    counted: Array = np.cumsum(real, axis=1) * real - 1
    return counted


def sinusoid(call: Call) -> Array:
    """Sines and cosines of each position, (B, T, D)."""
    return _sinusoids(call, call.given("positions"), int(call.attrs["width"].size))


def step_sinusoid(call: Call) -> Array:
    """The same of the number of the layer, from 1, (1, D)."""
    return _sinusoids(call, np.array([call.layer + 1]), int(call.attrs["width"].size))


def grid_sinusoid(call: Call) -> Array:
    """Sinusoids of the rows and of the columns side by side, (T, D); zeros for tokens before.

    Those of the frames of a video come first.
    """
    *frames, rows, columns = (int(size) for size in call.attrs["grid"])
    axes: dict[str, list[int]] = {"frame": [], "row": [], "column": []}
    for patch in range(math.prod(frames) * rows * columns):
        axes["frame"].append(patch // (rows * columns))
        axes["row"].append(patch // columns % rows)
        axes["column"].append(patch % columns)
    places = {axis: np.array(axes[axis]) for axis in call.attrs["order"]}
    if call.attrs["coordinates"] == "turn":
        counts = {"row": rows, "column": columns}
        places = {a: (i + 1) / (counts[a] + 1e-6) * 2 * np.pi for a, i in places.items()}
    width, front = int(call.attrs["width"].size), int(call.value("front"))
    widths = call.attrs["widths"] or {"row": width // 2, "column": width // 2}
    parts = [_sinusoids(call, places[axis], int(widths[axis])) for axis in places]
    return np.concatenate([np.zeros((front, width)), np.concatenate(parts, axis=-1)])


def _sinusoids(call: Call, positions: Array, width: int) -> Array:
    """Sines and cosines of positions, by the layout and denominator of the op."""
    if width % 2:
        raise ValueError(f"sinusoid: the width {width} is odd")
    half = width // 2
    denominator = half if call.attrs["denominator"] == "half" else half - 1
    frequencies = np.array([10000.0 ** (-i / denominator) for i in range(half)])
    angles = positions[..., None] * frequencies
    if call.attrs["layout"] == "concat":
        return np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)
    if call.attrs["layout"] == "cosines_first":
        return np.concatenate([np.cos(angles), np.sin(angles)], axis=-1)
    result = np.empty((*angles.shape[:-1], width))
    result[..., 0::2], result[..., 1::2] = np.sin(angles), np.cos(angles)
    return result


def sharpness(call: Call) -> Array:
    """The factor of the query at each position, (B, 1, T, 1)."""
    whole_steps = np.floor(call.given("positions") / call.value("length"))
    grown: Array = 1 + call.value("slope") * np.log(1 + whole_steps)
    return grown[:, None, :, None]


def sharpen(call: Call) -> Array:
    """Multiply each vector by the factor of its position."""
    grown: Array = call.given("x") * call.given("sharpness")
    return grown


# -- biases of the scores


def alibi_slopes(heads: int, rule: str) -> list[float]:
    """One slope per head: 2^(-8/n), its square, its cube … for a power of two n.

    For other numbers of heads, `floor` takes the slopes of the power of two below, then every other
    slope of twice as many heads; `ceil` takes the slopes of the power of two above, every other one
    first.
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
    """A bias that decreases with the distance, (H, T, S)."""
    slopes = np.array(alibi_slopes(int(call.attrs["heads"].size), call.attrs["rule"]))
    factor = call.value("scale")
    bias: Array = -slopes[:, None, None] * np.abs(_distances(call))
    return bias if factor is None else bias * factor


def bucket(distance: int, *, buckets: int, max_distance: int, bidirectional: bool) -> int:
    """The T5 bucket of one distance (key - query), in integer arithmetic.

    Half of the buckets hold one distance each, the others grow geometrically up to `max_distance`;
    larger distances are in the last one. With two directions, keys after the query have the upper
    half of the buckets.
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
    """A learned bias per bucket and head, (H, T, S)."""
    return np.moveaxis(call.weights["weight"][call.given("buckets")], -1, 0)


# -- scores between content and relative positions


def log_bucket(distance: int, *, buckets: int, max_distance: int) -> int:
    """The signed bucket of one distance (query - key), in integer arithmetic.

    Distances up to half of the buckets are their own bucket; then buckets grow geometrically, so
    that `max_distance - 1` is in the last one.
    """
    half, far = buckets // 2, abs(distance)
    if far <= half:
        return distance
    # the first j with (far / half)^(half - 1) <= ((max_distance - 1) / half)^j
    j, last = 0, max_distance - 1
    while far ** (half - 1) * half**j > last**j * half ** (half - 1):
        j += 1
    return (half + j) * (1 if distance > 0 else -1)


def relative_places(call: Call) -> Array:
    """The row of query - key in a table that begins with the most distant later key, (T, S)."""
    most, buckets = call.value("max_distance"), call.value("buckets")
    behind = -_distances(call)
    if call.attrs["rule"] == "log":
        rule = {"buckets": buckets, "max_distance": most}
        behind = np.vectorize(lambda d: log_bucket(int(d), **rule), otypes=[np.int64])(behind)
        most = buckets
    if call.attrs["rule"] == "all":
        most = call.tokens
    if call.attrs["rule"] == "pair":  # from the most distant earlier key to the later one
        return np.asarray(np.clip(-behind, -most, most) + most)
    return np.asarray(np.minimum(np.maximum(behind, -most), most - 1) + most)


def relative_positions(call: Call) -> Array:
    """All distances in a sequence, and one more, (2*T,)."""
    return np.arange(-call.tokens, call.tokens)


def position_scores(call: Call) -> Array:
    """Dot products of contents with the vectors of relative positions, (B, H, T, S)."""
    x, positions, places = call.given("x"), call.given("positions"), call.given("places")
    if positions.ndim == 2:  # the same for all heads
        positions = np.broadcast_to(positions, (x.shape[1], *positions.shape))
    of_pairs = positions[:, places]  # (H, T, S, E)
    form = "bhte,htse->bhts" if call.attrs["side"] == "query" else "bhse,htse->bhts"
    return np.asarray(np.einsum(form, x, of_pairs))
