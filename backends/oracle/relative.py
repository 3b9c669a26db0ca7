"""Positions that meet contents in the scores: DeBERTa's and Transformer-XL's."""

from __future__ import annotations

import math

import numpy as np

from ...spec.positions import Disentangled
from .positions import sinusoids
from .tokens import Tokens
from .weights import Array


def log_bucket(offset: int, position: Disentangled) -> int:
    """The bucket of q - k (He et al., 2021, arXiv:2111.09543, and the authors' code).

    Distances up to half of `buckets` keep one bucket each, those above grow with the logarithm.
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
    """How many places the table has to each side."""
    return position.max_distance if position.buckets == "none" else position.buckets


def disentangled(
    position: Disentangled, tokens: Tokens, q: Array, k: Array, keys: Array, queries: Array
) -> Array:
    """(T, T) for one head, before it is scaled (He et al., 2020, arXiv:2006.03654, eq. 4).

    q, k: (T, E). keys, queries: (2 · span, E), the table behind the key and query projections of
    positions. Content to position: q_i · keys[δ]; position to content: k_j · queries[δ], with
    δ = clip(bucket(i - j) + span, 0, 2 · span - 1) in both, as in the code of the authors and of
    `transformers`; the paper writes δ(j, i) in the second.
    """
    count, side = len(tokens.index), span(position)
    scores = np.zeros((count, count))
    for i in range(count):
        for j in range(count):
            place = min(max(log_bucket(i - j, position) + side, 0), 2 * side - 1)
            if "content_to_position" in position.terms:
                scores[i, j] += q[i] @ keys[place]
            if "position_to_content" in position.terms:
                scores[i, j] += k[j] @ queries[place]
    return scores


def transformer_xl(tokens: Tokens, q: Array, project: Array, bias: Array) -> Array:
    """(T, T) for one head, before it is scaled: terms (b) and (d) of Dai et al., 2019
    (arXiv:1901.02860, section 3.3), (q_i + v) · W R_{i - j}.

    project: (E, D), the head's rows of W. bias: (E,), v. R_n are the sinusoids of n, sines first.
    """
    count = len(tokens.index)
    scores = np.zeros((count, count))
    for i in range(count):
        offsets = i - np.arange(count)
        places = sinusoids(offsets, project.shape[1], layout="concat", denominator="half")
        scores[i] = (places @ project.T) @ (q[i] + bias)
    return scores
