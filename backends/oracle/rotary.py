"""Rotary positions, RoPE scaling, and temperature positions."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...spec.positions import DynamicScaling, LinearScaling, Llama3, LongRope, Rotary, Yarn
from .context import Tokens
from .positions import shares
from .weights import Array

Frequencies = tuple[Array, float]
"""(pairs,) radians per position, and the attention factor."""


def base_frequencies(theta: float, width: int) -> Array:
    """θ^(-2i / d) for each pair i of d numbers (Su et al., 2021, arXiv:2104.09864, eq. 15)."""
    return theta ** (-np.arange(0, width, 2) / width)


def linear(scaling: LinearScaling, theta: float, width: int, *_: Any) -> Frequencies:
    """Position interpolation: f(x, m / s) (Chen et al., 2023, arXiv:2306.15595, eq. 4)."""
    return base_frequencies(theta, width) / scaling.factor, 1.0


def dynamic(scaling: DynamicScaling, theta: float, width: int, length: int, *_: Any) -> Frequencies:
    """θ · (s · L / L0 - (s - 1))^(d / (d - 2)) beyond the original length L0 ("dynamic NTK"); the
    frequency of a single pair is 1 for any θ.
    """
    first = scaling.original_max_positions
    stretch = scaling.factor * max(length, first) / first - (scaling.factor - 1)
    if width > 2:
        theta = theta * stretch ** (width / (width - 2))
    return base_frequencies(theta, width), 1.0


def llama3(scaling: Llama3, theta: float, width: int, *_: Any) -> Frequencies:
    """Llama 3.1's interpolation by wavelength (Grattafiori et al., 2024, arXiv:2407.21783)."""
    found = base_frequencies(theta, width)
    for i, frequency in enumerate(found):
        turns = scaling.original_max_positions * frequency / (2 * math.pi)
        low, high = scaling.low_freq_factor, scaling.high_freq_factor
        kept = min(max((turns - low) / (high - low), 0), 1)
        found[i] = kept * frequency + (1 - kept) * frequency / scaling.factor
    return found, 1.0


def growth(factor: float, mscale: float) -> float:
    """m(s) = 0.1 · s · ln(factor) + 1; 1 without extension (YaRN, eq. 22)."""
    return 1.0 if factor <= 1 else 0.1 * mscale * math.log(factor) + 1


def yarn(scaling: Yarn, theta: float, width: int, *_: Any) -> Frequencies:
    """NTK by parts (Peng et al., 2023, arXiv:2309.00071, section 3.2). The ramp between β_slow and
    β_fast rotations is linear in the index i of the pair, as in the authors' code, not in the
    number of rotations.
    """
    frequencies = base_frequencies(theta, width)

    def pair_that_turns(times: float) -> float:
        first = scaling.original_max_positions
        return width * math.log(first / (times * 2 * math.pi)) / (2 * math.log(theta))

    low, high = pair_that_turns(scaling.beta_fast), pair_that_turns(scaling.beta_slow)
    if scaling.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, width - 1)
    if low == high:
        high += 0.001
    divided = np.clip((np.arange(width // 2) - low) / (high - low), 0, 1)
    per_position = frequencies / scaling.factor * divided + frequencies * (1 - divided)
    by = growth(scaling.factor, scaling.mscale) / growth(scaling.factor, scaling.mscale_all_dims)
    return per_position, by


def longrope(scaling: LongRope, theta: float, width: int, length: int, most: int) -> Frequencies:
    """θ^(-2i/d) / λ_i with one of two lists λ (Ding et al., 2024, arXiv:2402.13753, eq. 4). most:
    the longest sequence, which determines the attention factor (section 4).
    """
    first = scaling.original_max_positions
    fits = length <= first
    divisors = scaling.short_factor if fits else scaling.long_factor
    by = scaling.short_mscale if fits else scaling.long_mscale
    if by is None:
        ratio = most / first
        by = 1.0 if ratio <= 1 else math.sqrt(1 + math.log(ratio) / math.log(first))
    return base_frequencies(theta, width) / np.array(divisors), by


SCALINGS: dict[str, Callable[..., Frequencies]] = {
    "none": lambda scaling, theta, width, *_: (base_frequencies(theta, width), 1.0),
    "linear": linear,
    "dynamic": dynamic,
    "llama3": llama3,
    "yarn": yarn,
    "longrope": longrope,
}


def turn(x: Array, angles: Array, layout: str) -> Array:
    """Rotate pairs (a, b) to (a cos - b sin, b cos + a sin). x: (T, 2n), angles: (T, n)."""
    half = x.shape[-1] // 2
    places = {
        "half": (np.arange(half), np.arange(half) + half),
        "interleaved": (np.arange(half) * 2, np.arange(half) * 2 + 1),
    }
    first, second = places[layout]
    y = np.empty_like(x)
    y[:, first] = x[:, first] * np.cos(angles) - x[:, second] * np.sin(angles)
    y[:, second] = x[:, second] * np.cos(angles) + x[:, first] * np.sin(angles)
    return y


def grid_angles(position: Rotary, tokens: Tokens, width: int) -> Array:
    """(T, pairs): the first half of the pairs rotate with the row, the others with the column.

    Each half has the frequencies of half the width, θ^(-4i/d) (DINOv3; Siméoni et al., 2025,
    arXiv:2508.10104, and Heo et al., 2024, arXiv:2403.13298, section 3.2), or of its share beside
    a frame. `centred` is (2 (r + 1/2) / rows - 1) · 2π. Prefix tokens have angle 0.
    """
    angles = []
    for at, count, share in zip(tokens.places, tokens.grid, shares(position, width), strict=True):
        if position.coordinates == "centred":
            at = (2 * (at + 0.5) / count - 1) * 2 * math.pi
        angles.append(np.outer(at, base_frequencies(position.theta, share)))
    return np.pad(np.concatenate(angles, axis=-1), ((tokens.in_front, 0), (0, 0)))


def rotated(position: Rotary, tokens: Tokens, x: Array, longest: int | None) -> Array:
    """One head (T, E) with the first `fraction` of its features rotated."""
    width = round(x.shape[-1] * position.fraction)
    if position.axes > 1:
        by, angles = 1.0, grid_angles(position, tokens, width)
    else:
        scaling = position.scaling
        per_position, by = SCALINGS[scaling.type](
            scaling, position.theta, width, tokens.last + 1, longest
        )
        angles = tokens.positions[:, None] * per_position
    turned = turn(x[:, :width], angles, position.layout) * by
    return np.concatenate([turned, x[:, width:]], axis=-1)


def score_growth(positions: tuple[Any, ...]) -> float:
    """The factor m² of all scores from YaRN's `mscale_all_dims` (DeepSeek-V3's code)."""
    for position in positions:
        if isinstance(position, Rotary) and isinstance(position.scaling, Yarn):
            return growth(position.scaling.factor, position.scaling.mscale_all_dims) ** 2
    return 1.0


def query_growth(positions: tuple[Any, ...], tokens: Tokens) -> Array:
    """(T,): 1 + slope ln(1 + ⌊(position + offset) / length⌋) (Nakanishi 2025, arXiv:2501.19399)."""
    for position in positions:
        if position.type == "temperature":
            steps = (tokens.positions + position.offset) // position.length
            return 1 + position.slope * np.log(1 + steps)
    return np.ones(len(tokens.index))
