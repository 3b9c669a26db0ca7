"""Positions that are added to the input, or to queries and keys."""

import numpy as np

from ...spec.model import Stack
from ...spec.positions import Convolution, Learned, Rotary, Sinusoidal
from .context import Tokens
from .pointwise import activate
from .weights import Array, OracleError, Weights


def counted(position: Learned | Sinusoidal, tokens: Tokens, pad: int | None) -> Array:
    """(T,) positions before the offset; skipped padding has position -1.

    OPT counts tokens with mask 1, RoBERTa tokens other than padding. `position_ids` take
    precedence.
    """
    if position.skip_padding is False or tokens.placed:
        return tokens.positions
    real = tokens.admitted
    if position.skip_padding == "tokens":
        if tokens.ids is None or pad is None:
            raise OracleError("`skip_padding: tokens` needs token ids and the id of padding")
        real = tokens.ids != pad
    return np.cumsum(real) * real - 1


def sinusoids(positions: Array, width: int, *, layout: str, denominator: str) -> Array:
    """sin(p / 10000^(2i / d)) and cos of the same (Vaswani et al., 2017, section 3.5).

    `interleaved` is the paper's order: alternating sines and cosines. With `half_minus_one` the
    last wavelength is exactly 10000 · 2π (the authors' own tensor2tensor).
    """
    half = width // 2
    below = {"half": half, "half_minus_one": half - 1}
    angles = positions[:, None] / 10000 ** (np.arange(half) / below[denominator])
    pair = [np.sin(angles), np.cos(angles)]
    if layout == "concat":
        return np.concatenate(pair, axis=-1)
    return np.stack(pair, axis=-1).reshape(len(positions), width)


def shares(position: Sinusoidal | Rotary, width: int) -> tuple[int, ...]:
    """Number of features of row and column, or of frame, row and column (CogVideoX; Yang et al.,
    2024, arXiv:2408.06072, their code).
    """
    if position.axes == 2:
        return width // 2, width // 2
    return position.widths or (width // 4, 3 * width // 8, 3 * width // 8)


def of_grid(position: Sinusoidal, tokens: Tokens, count: int, width: int) -> Array:
    """(count, width) for the patches, the last ones: half of the features for the row of a patch,
    half for its column, in the given order (He et al., 2021, arXiv:2111.06377, their code), after
    those of the frame; 0 for other tokens. Turns: Carion et al., 2020 (arXiv:2005.12872, code).
    """
    kind, tables = {"layout": position.layout, "denominator": position.denominator}, []
    for at, number, share in zip(tokens.places, tokens.grid, shares(position, width), strict=True):
        if position.coordinates == "turn":
            at = 2 * np.pi * (at + 1) / (number + 1e-6)
        tables.append(sinusoids(at, share, **kind))
    *frame, rows, columns = tables
    halves = {"row": rows, "column": columns}
    x = np.concatenate([*frame, *(halves[axis] for axis in position.order)], axis=-1)
    return np.concatenate([np.zeros((count - len(x), width)), x])


def grouped(
    x: Array, kernel: Array, groups: int = 1, *, stride: int = 1, dilation: int = 1
) -> Array:
    """y[t, o] = Σ_k Σ_c kernel[o, c, k] x[t · stride + k · dilation, c], without zero padding.

    x: (frames, channels in). kernel: (channels out, channels in / groups, width); outputs of a
        group read the inputs of the same group. Result: (frames out, channels out).
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


def convolved(position: Convolution, weights: Weights, x: Array) -> Array:
    """activation(conv(x)) (Baevski et al., 2020, section 2): the kernel reads k // 2 frames before
    a frame; an even one reads one less after it.
    """
    kernel = weights("position_convolution.weight")
    bias = weights("position_convolution.bias")
    before = position.kernel // 2
    padded = np.pad(x, ((before, position.kernel - 1 - before), (0, 0)))
    return activate(position.activation, grouped(padded, kernel, position.groups) + bias)


def added(
    stack: Stack, weights: Weights, tokens: Tokens, x: Array, pad: int | None, to: str = "input"
) -> Array:
    """x (T, D) plus the positions of the stack that are added to the input, or to queries and keys
    (Carion et al., 2020, arXiv:2005.12872, appendix A.3).
    """
    for position in stack.positions:
        if isinstance(position, Convolution) and to == "input":
            x = x + convolved(position, weights, x)
        elif isinstance(position, (Learned, Sinusoidal)) and position.add_to == to:
            places = counted(position, tokens, pad)[: len(x)] + position.offset
            if isinstance(position, Learned):
                x = x + weights("position_embedding.weight")[places]
            elif position.axes > 1:
                x = x + of_grid(position, tokens, *x.shape)
            else:
                kind = {"layout": position.layout, "denominator": position.denominator}
                x = x + sinusoids(places, x.shape[-1], **kind)
    return x
