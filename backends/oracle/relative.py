"""Scores with relative positions: DeBERTa, Transformer-XL, ALiBi and learned biases."""

import math
from collections.abc import Callable

import numpy as np

from ...spec.positions import Alibi, Disentangled, RelativeBias, RelativeTable, Shaw
from .context import Tokens
from .positions import sinusoids
from .weights import Array


def log_bucket(offset: int, position: Disentangled) -> int:
    """The bucket of q - k (He et al., 2021, arXiv:2111.09543, and the authors' code).

    Distances up to half of `buckets` have their own bucket, larger ones logarithmic buckets.
    """
    if position.buckets == "none":
        return offset
    middle = position.buckets // 2
    distance = abs(offset)
    if distance <= middle:
        return offset
    ratio = math.log(distance / middle) / math.log((position.max_distance - 1) / middle)
    return int(math.copysign(math.ceil(ratio * (middle - 1)) + middle, offset))


def span(position: Disentangled) -> int:
    """Number of relative positions in each direction."""
    return position.max_distance if position.buckets == "none" else position.buckets


def disentangled(
    position: Disentangled, tokens: Tokens, q: Array, k: Array, keys: Array, queries: Array
) -> Array:
    """(H, T, T), before scaling (He et al., 2020, arXiv:2006.03654, eq. 4).

    q, k: (T, H, E). keys, queries: (2 · span, H, E), the table after the key and query projections
    of positions. Content to position: q_i · keys[δ]; position to content: k_j · queries[δ], with δ
    = clip(bucket(i - j) + span, 0, 2 · span - 1) in both, as in the code of the authors and of
    `transformers`; the paper writes δ(j, i) in the second.
    """
    count, side = len(tokens.index), span(position)
    scores = np.zeros((q.shape[1], count, count))
    for i in range(count):
        for j in range(count):
            place = min(max(log_bucket(i - j, position) + side, 0), 2 * side - 1)
            if "content_to_position" in position.terms:
                scores[:, i, j] += (q[i] * keys[place]).sum(axis=-1)
            if "position_to_content" in position.terms:
                scores[:, i, j] += (k[j] * queries[place]).sum(axis=-1)
    return scores


def transformer_xl(tokens: Tokens, q: Array, rows: Array, bias: Array, dropout: float) -> Array:
    """(H, T, T), before scaling: terms (b) and (d) of Dai et al., 2019 (arXiv:1901.02860,
    section 3.3), (q_i + v) · W R_{i - j}.

    q: (T, H, E). rows: (H, E, D), W. bias: (H, E), v. R_n are the sinusoids of n, sines first.
    """
    count = len(tokens.index)
    offsets = np.arange(-count, count)
    table = sinusoids(offsets, rows.shape[2], layout="concat", denominator="half")
    table = tokens.dropped_rows(table, dropout)
    scores = np.zeros((q.shape[1], count, count))
    for i in range(count):
        places = table[i - np.arange(count) + count]
        scores[:, i] = np.einsum("he,hed,jd->hj", q[i] + bias, rows, places)
    return scores


def pair_vectors(position: Shaw, tokens: Tokens, table: Array) -> Array:
    """(T, T, E) from a table (2k + 1, E): a_ij = w_clip(j - i, k), from w_-k to w_k (Shaw et al.,
    2018, arXiv:1803.02155, section 3.2).
    """
    most, index = position.max_distance, tokens.index
    return table[[[min(max(j - i, -most), most) + most for j in index] for i in index]]


def slopes(heads: int, kind: str = "floor") -> Array:
    """2^(-8i/n) for n heads, a power of two (Press et al., 2021, arXiv:2108.12409, section 3).

    For other counts, their code takes the slopes of the power of two below, then every other one of
    twice as many heads (`floor`); MPT takes those of the power above, every other one first
    (`ceil`).
    """

    def power(n: int) -> list[float]:
        return [2 ** (-8 * i / n) for i in range(1, n + 1)]

    below = 2 ** math.floor(math.log2(heads))
    if below == heads:
        return np.array(power(heads))
    if kind == "floor":
        return np.array(power(below) + power(2 * below)[0::2][: heads - below])
    above = power(2 * below)
    return np.array((above[1::2] + above[0::2])[:heads])


def alibi(position: Alibi, tokens: Tokens, heads: int) -> Array:
    """(H, T, T): -slope · |q - k|."""
    distance = np.abs(tokens.index[:, None] - tokens.index[None, :])
    return -slopes(heads, position.slopes)[:, None, None] * distance


def bucket(offset: int, position: RelativeBias) -> int:
    """The bucket of k - q (Raffel et al., 2019, section 2.1, and their Mesh TensorFlow code).

    Half of the buckets of a direction hold one distance each; the others grow logarithmically up to
    `max_distance`. With `bidirectional`, the second half of all buckets is for keys after the
    query; otherwise these share bucket 0.
    """
    count, start = position.buckets, 0
    if position.bidirectional:
        count //= 2
        start = count if offset > 0 else 0
        distance = abs(offset)
    else:
        distance = max(-offset, 0)
    exact = count // 2
    if distance < exact:
        return start + distance
    ratio = math.log(distance / exact) / math.log(position.max_distance / exact)
    return start + min(exact + int(ratio * (count - exact)), count - 1)


def of_pairs(table: Array, count: int, row: Callable[[int, int], int]) -> Array:
    """(H, T, T) from a table (rows, H): the row of each query and key."""
    rows = [[row(q, k) for k in range(count)] for q in range(count)]
    return np.moveaxis(table[np.array(rows)], -1, 0)


def relative_bias(position: RelativeBias, tokens: Tokens, table: Array) -> Array:
    """(H, T, T) from a table (buckets, H)."""
    return of_pairs(table, len(tokens.index), lambda q, k: bucket(k - q, position))


def rows_of(tokens: Tokens) -> int:
    """Number of rows of a table of grid offsets."""
    return math.prod(2 * n - 1 for n in tokens.grid) + 3 * bool(tokens.in_front)


def distance_table(table: Array, count: int) -> Array:
    """(H, T, T) from a table (2n - 1, H): row q - k + n - 1, for sequences of up to n tokens."""
    longest = (len(table) + 1) // 2
    return of_pairs(table, count, lambda q, k: q - k + longest - 1)


def relative_table(position: RelativeTable, tokens: Tokens, table: Array) -> Array:
    """(H, T, T) from a table ((2n - 1)² (+ 3), H): a row for each offset (row, column) of two
    patches on a grid of n by n (Liu et al., 2021, arXiv:2103.14030, section 3.2; Bao et al., 2021,
    arXiv:2106.08254).

    With prefix tokens there are three more rows: from such a token, to one, and between two, in
    this order, as in BEiT's code.
    """
    front, most = tokens.in_front, np.array(tokens.grid) - 1

    def row(q: int, k: int) -> int:
        if min(q, k) < front:
            return -1 if max(q, k) < front else -3 if q < front else -2
        offsets = tokens.places[:, q - front] - tokens.places[:, k - front]
        return int(np.ravel_multi_index(tuple(offsets + most), tuple(2 * most + 1)))

    return of_pairs(table, len(tokens.index), row)
