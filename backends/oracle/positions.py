"""Positions that are added to the input: learned, sinusoidal, and by a convolution."""

import numpy as np

from ...spec.model import Stack
from ...spec.positions import Convolution, Learned, Sinusoidal, acts_on
from .context import Tokens
from .signals import convolved
from .weights import Array, OracleError, Weights, unknown


def counted(position: Learned | Sinusoidal, tokens: Tokens, pad: int | None) -> Array:
    """(T,) positions before the offset; padding that is skipped has the one before the first.

    OPT counts the ones of the mask, RoBERTa the tokens that are not padding; both give padding -1
    before the offset. `position_ids` that are given count instead.
    """
    if position.skip_padding is False or tokens.placed:
        return tokens.positions
    real = tokens.admitted
    if position.skip_padding == "tokens":
        if tokens.ids is None or pad is None:
            raise OracleError("`skip_padding: tokens` needs token ids and the id of padding")
        real = tokens.ids != pad
    elif position.skip_padding != "mask":
        raise unknown(f"`skip_padding: {position.skip_padding}`")
    return np.cumsum(real) * real - 1


def sinusoids(positions: Array, width: int, *, layout: str, denominator: str) -> Array:
    """sin(p / 10000^(2i / d)) and cos of the same (Vaswani et al., 2017, section 3.5).

    `interleaved` is the paper's order: sines and cosines by turns. With `half_minus_one` the last
    wavelength is exactly 10000 · 2π (the authors' own tensor2tensor).
    """
    half = width // 2
    below = {"half": half, "half_minus_one": half - 1}
    angles = positions[:, None] / 10000 ** (np.arange(half) / below[denominator])
    pair = [np.sin(angles), np.cos(angles)]
    if layout == "concat":
        return np.concatenate(pair, axis=-1)
    if layout != "interleaved":
        raise unknown(f"sinusoids with `layout: {layout}`")
    return np.stack(pair, axis=-1).reshape(len(positions), width)


def sinusoidal(position: Sinusoidal, places: Array, width: int) -> Array:
    if position.axes != 1:
        raise unknown(f"sinusoids over {position.axes} axes")
    layout, denominator = position.layout, position.denominator
    return sinusoids(places, width, layout=layout, denominator=denominator)


def added(stack: Stack, weights: Weights, tokens: Tokens, x: Array, pad: int | None) -> Array:
    """x (T, D) and every position of the stack that acts on the input."""
    for position in stack.positions:
        if acts_on(position) != "input":
            continue
        if isinstance(position, Convolution):
            x = x + convolved(position, weights, x)
            continue
        if not isinstance(position, (Learned, Sinusoidal)):
            raise unknown(f"positions of type `{position.type}`")
        places = counted(position, tokens, pad)[: len(x)] + position.offset  # registers have none
        if isinstance(position, Learned):
            x = x + weights("position_embedding.weight")[places]
        else:
            x = x + sinusoidal(position, places, x.shape[-1])
    return x
