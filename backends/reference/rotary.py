"""Rotary positions and RoPE scaling.

rope      Su et al. 2021, arXiv:2104.09864
linear    Chen et al. 2023, arXiv:2306.15595
dynamic   bloc97 and emozilla 2023 ("dynamic NTK"): theta grows with the length
llama3    Grattafiori et al. 2024, arXiv:2407.21783
yarn      Peng et al. 2023, arXiv:2309.00071
longrope  Ding et al. 2024, arXiv:2402.13753
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...compiler.sizes import number
from .call import Array, Call

Numbers = Mapping[str, Any]


@dataclass(frozen=True)
class Pair:
    """A pair of features; `length` is the sequence length."""

    index: int
    width: int
    theta: float
    length: int

    @property
    def frequency(self) -> float:
        """The rotation angle per position."""
        return float(self.theta ** (-2 * self.index / self.width))


def _linear(pair: Pair, scaling: Numbers) -> float:
    return pair.frequency / float(scaling["factor"])


def _dynamic(pair: Pair, scaling: Numbers) -> float:
    """The frequency with a theta that grows with the sequence."""
    factor, original = scaling["factor"], scaling["original_max_positions"]
    growth = factor * max(pair.length, original) / original - (factor - 1)
    if pair.width == 2:  # a single pair has the highest frequency, which is kept
        return pair.frequency
    theta = pair.theta * growth ** (pair.width / (pair.width - 2))
    return Pair(pair.index, pair.width, theta, pair.length).frequency


def _llama3(pair: Pair, scaling: Numbers) -> float:
    """Keep high frequencies, divide low ones by the factor, interpolate between."""
    frequency = pair.frequency
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    turns = scaling["original_max_positions"] * frequency / (2 * math.pi)
    if turns > high:
        return frequency
    if turns < low:
        return frequency / float(scaling["factor"])
    smooth = (turns - low) / (high - low)
    return float((1 - smooth) * frequency / scaling["factor"] + smooth * frequency)


def _yarn(pair: Pair, scaling: Numbers) -> float:
    """Like llama3, but interpolated by the index of the pair between two bounds (eq. 17 to 20)."""

    def bound(turns: float) -> float:
        wave = scaling["original_max_positions"] / (turns * 2 * math.pi)
        return pair.width * math.log(wave) / (2 * math.log(pair.theta))

    low, high = bound(scaling["beta_fast"]), bound(scaling["beta_slow"])
    if scaling["truncate"]:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, pair.width - 1)
    if low == high:
        high += 0.001
    ramp = min(max((pair.index - low) / (high - low), 0), 1)
    return float(pair.frequency / scaling["factor"] * ramp + pair.frequency * (1 - ramp))


def _longrope(pair: Pair, scaling: Numbers) -> float:
    fits = pair.length <= scaling["original_max_positions"]
    return float(pair.frequency / scaling["short_factor" if fits else "long_factor"][pair.index])


SCALINGS: dict[str, Callable[[Pair, Numbers], float]] = {
    "linear": _linear,
    "dynamic": _dynamic,
    "llama3": _llama3,
    "yarn": _yarn,
    "longrope": _longrope,
}


def _yarn_growth(length: int, scaling: Numbers) -> float:
    """The attention factor (eq. 22, and its ratio in DeepSeek-V3)."""

    def growth(mscale: float) -> float:
        factor = scaling["factor"]
        return 1.0 if factor <= 1 else 0.1 * mscale * math.log(factor) + 1

    return growth(scaling["mscale"]) / growth(scaling["mscale_all_dims"])


def _longrope_growth(length: int, scaling: Numbers) -> float:
    original = scaling["original_max_positions"]
    if "short_mscale" in scaling:
        return float(scaling["short_mscale" if length <= original else "long_mscale"])
    longer = scaling["max_positions"] / original
    return 1.0 if longer <= 1 else math.sqrt(1 + math.log(longer) / math.log(original))


GROWTHS: dict[str, Callable[[int, Numbers], float]] = {
    "yarn": _yarn_growth,
    "longrope": _longrope_growth,
}


def frequencies(
    width: int, theta: float, scaling: Mapping[str, Any] | None, length: int = 0
) -> list[float]:
    """The rotation angle per position of each pair."""
    pairs = [Pair(index, width, theta, length) for index in range(width // 2)]
    if scaling is None:
        return [pair.frequency for pair in pairs]
    numbers = {key: number(value) for key, value in scaling.items()}
    return [SCALINGS[numbers["type"]](pair, numbers) for pair in pairs]


def rope_table(call: Call) -> tuple[Array, Array]:
    """Cosine and sine of the angle at each position and pair, both (B, T, R/2)."""
    positions, scaling = call.given("positions"), call.attrs.get("scaling")
    length = int(positions.max()) + 1
    turns = frequencies(call.value("width"), call.value("theta"), scaling, length)
    angles = positions[..., None] * np.array(turns)
    numbers = {key: number(value) for key, value in (scaling or {}).items()}
    rule = GROWTHS.get(numbers.get("type", ""))
    growth = 1.0 if rule is None else rule(length, numbers)
    return np.cos(angles) * growth, np.sin(angles) * growth


def grid_rope_table(call: Call) -> tuple[Array, Array]:
    """Cosine and sine for patches in row-major order, both (T, R/2); prefix tokens have angle 0."""
    if call.attrs["widths"]:
        return _video_rope_table(call)
    rows, columns = (int(size) for size in call.attrs["grid"])
    quarter = call.value("width") // 4
    turns = [Pair(index, 2 * quarter, call.value("theta"), 0).frequency for index in range(quarter)]
    angles = [[0.0] * (2 * quarter)] * call.value("front")
    for row in range(rows):
        for column in range(columns):
            place = [float(row), float(column)]
            if call.attrs["coordinates"] == "centred":  # (0, rows) becomes (-1, 1)
                place = [
                    2 * math.pi * (2 * (at + 0.5) / count - 1)
                    for at, count in zip(place, (rows, columns), strict=True)
                ]
            angles.append([at * turn for at in place for turn in turns])
    return np.cos(angles), np.sin(angles)


def _video_rope_table(call: Call) -> tuple[Array, Array]:
    """The same for the patches of a video, frame by frame; each axis has its own width."""
    turns = [
        [Pair(i, int(width), call.value("theta"), 0).frequency for i in range(int(width) // 2)]
        for width in call.attrs["widths"].values()
    ]
    angles = [[0.0] * (call.value("width") // 2)] * call.value("front")
    for place in np.ndindex(*(int(size) for size in call.attrs["grid"])):
        pairs = zip(place, turns, strict=True)
        angles.append([at * turn for at, own in pairs for turn in own])
    return np.cos(angles), np.sin(angles)


def rotate(call: Call) -> Array:
    """Rotate the first (or last) `width` features of each head in pairs; keep the others."""
    x, cos, sin = call.given("x"), call.given("cos"), call.given("sin")
    cos, sin = cos[..., None, :, :], sin[..., None, :, :]  # the same for all heads
    width = call.value("width")
    half = width // 2
    if call.attrs["layout"] == "interleaved":
        first, second = np.arange(0, width, 2), np.arange(1, width, 2)
    else:
        first, second = np.arange(half), np.arange(half, width)
    if call.value("end"):
        first, second = first + x.shape[-1] - width, second + x.shape[-1] - width
    result = x.copy()
    result[..., first] = x[..., first] * cos - x[..., second] * sin
    result[..., second] = x[..., first] * sin + x[..., second] * cos
    return result
