"""Scores of queries and keys, and the positions that act on them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...spec.attention import Mha, Mla
from ...spec.positions import (
    Alibi,
    Disentangled,
    Position,
    RelativeBias,
    RelativeTable,
    TransformerXl,
    acts_on,
)
from .biases import alibi, relative_bias, relative_table
from .errors import unknown
from .layer import Layer
from .pointwise import normalize
from .relative import disentangled, span, transformer_xl
from .rotary import query_growth, score_growth
from .weights import Array, Weights


def unit(x: Array) -> Array:
    """To length 1."""
    return x / np.maximum(np.sqrt((x**2).sum(axis=-1, keepdims=True)), 1e-12)


def distance(q: Array, k: Array, _: Array | None) -> Array:
    """-|q - k|², the exponent of Nadaraya's and Watson's Gaussian kernel (1964)."""
    return -((q[:, None] - k[None, :]) ** 2).sum(axis=-1)


def additive(q: Array, k: Array, w: Array | None) -> Array:
    """w · tanh(q + k) (Bahdanau et al., 2014, arXiv:1409.0473, appendix A.1.2)."""
    return np.tanh(q[:, None] + k[None, :]) @ w


KINDS: dict[str, Callable[[Array, Array, Array | None], Array]] = {
    "dot": lambda q, k, w: q @ k.T,
    "cosine": lambda q, k, w: q @ k.T,  # of unit vectors
    "distance": distance,
    "additive": additive,
}
Added = Callable[[Layer, Any, Array, Array, int], Array]


def scale_of(layer: Layer, part: Mha | Mla, width: int) -> float:
    """What multiplies the scores, YaRN's growth included."""
    growth = score_growth(layer.positions)
    if part.scale == "none":
        return growth
    if part.scale == "by_layer":  # GPT-2's scale_attn_by_inverse_layer_idx
        return growth / math.sqrt(width) / (layer.number + 1)
    if part.scale is not None:
        return growth * float(part.scale)
    if getattr(part, "score", "dot") == "additive":
        return growth
    terms = sum(len(p.terms) for p in layer.positions if isinstance(p, Disentangled))
    return growth / math.sqrt((1 + terms) * width)


def softcapped(cap: float | str, x: Array) -> Array:
    """cap · tanh(x / cap) (Gemma 2; Gemma Team, 2024, arXiv:2408.00118, section 2)."""
    return x if isinstance(cap, str) else cap * np.tanh(x / cap)


def scores(layer: Layer, part: Mha, weights: Weights, q: Array, k: Array) -> Array:
    """(H, T, S) of queries (T, H, E) and keys (S, H, E), before the mask.

    softcap(scale · (score + what meets contents)) + what is added afterwards. Queries grow with
    their temperature last; of cosines the unit vectors grow, for else nothing would.
    """
    heads, width = q.shape[1], q.shape[2]
    if part.score not in KINDS:
        unknown(f"scores of type `{part.score}`")
    if part.score == "cosine":
        q, k = unit(q), unit(k)
    q = q * query_growth(layer.positions, layer.tokens)[:, None, None]
    vector = weights("score", heads, width) if part.score == "additive" else None
    inner = np.zeros((heads, len(q), len(k)))
    for head in range(heads):
        asked, w = q[:, head], None if vector is None else vector[head]
        if any(isinstance(p, TransformerXl) for p in layer.positions):
            asked = asked + weights("content_bias", heads, width)[head]
        inner[head] = KINDS[part.score](asked, k[:, head], w)
    inner += meeting(layer, part, weights, q, k)
    inner += before_scale(layer, heads)
    return softcapped(part.softcap, scale_of(layer, part, width) * inner) + added(
        layer, weights, heads
    )


def meeting(layer: Layer, part: Mha, weights: Weights, q: Array, k: Array) -> Array:
    """(H, T, T): scores between contents and positions."""
    heads, width = q.shape[1], q.shape[2]
    total = np.zeros((heads, len(q), len(k)))
    for position in layer.positions:
        if isinstance(position, TransformerXl):
            rows = weights("position.weight", heads * width, layer.width)
            bias = weights("position_bias", heads, width)
            for head in range(heads):
                own = rows[head * width : (head + 1) * width]
                total[head] += transformer_xl(layer.tokens, q[:, head], own, bias[head])
        if isinstance(position, Disentangled):
            keys, queries = position_vectors(layer, part, weights, position, width)
            for head in range(heads):
                total[head] += disentangled(
                    position, layer.tokens, q[:, head], k[:, head], keys[:, head], queries[:, head]
                )
    return total


def position_vectors(
    layer: Layer, part: Mha, weights: Weights, position: Disentangled, width: int
) -> tuple[Array, Array]:
    """The table of DeBERTa's positions behind its two projections: (2 · span, H, E) each."""
    table = layer.weights("relative_embedding.weight", 2 * span(position), layer.width)
    if position.normalize:
        table = normalize(layer.stack.norm, layer.weights, "relative_norm", table)
    size = part.heads * width
    found = []
    for which, term in (("key", "content_to_position"), ("query", "position_to_content")):
        name = which if position.share_projections else f"position_{which}"
        if term in position.terms:
            bias = part.bias if isinstance(part.bias, bool) else which in (part.bias or ())
            found.append(weights.linear(name, table, size, bias=bias))
        else:
            found.append(np.zeros((len(table), size)))
    return tuple(y.reshape(len(table), part.heads, width) for y in found)  # type: ignore[return-value]


def before_scale(layer: Layer, heads: int) -> Array:
    """Falcon's ALiBi, which is scaled with the scores."""
    for position in layer.positions:
        if isinstance(position, Alibi) and position.before_scale:
            return alibi(position, layer.tokens, heads)
    return np.zeros((heads, 1, 1))


def added(layer: Layer, weights: Weights, heads: int) -> Array:
    """(H, T, T), or (H, 1, 1) of zeros: what positions add to the scores."""
    total = np.zeros((heads, 1, 1))
    for position in layer.positions:
        if isinstance(position, Alibi) and not position.before_scale:
            total = total + alibi(position, layer.tokens, heads)
        elif isinstance(position, RelativeBias):
            table = biases(layer, weights, position, heads)
            total = total + relative_bias(position, layer.tokens, table)
        elif isinstance(position, RelativeTable):
            table = biases(layer, weights, position, heads)
            total = total + relative_table(position, layer.tokens, table)
    return total


def biases(
    layer: Layer, weights: Weights, position: RelativeBias | RelativeTable, heads: int
) -> Array:
    """The table of a layer, or that of the stack.

    A stack has one table for each set of options and number of heads that its blocks ask for: the
    first is `relative_bias`, another is named after the first block that asks for it.
    """
    if position.share == "layer":
        return weights("relative_bias.weight")
    if position.share != "stack":
        unknown(f"a table with `share: {position.share}`")
    asked: list[tuple[Position, int]] = []
    for name in layer.stack.order:
        block = layer.stack.blocks[name]
        for other in block.positions:
            if acts_on(other) != "scores" or getattr(other, "share", "") != "stack":
                continue
            key = (other, getattr(block.attention, "heads", 0))
            if key not in asked:
                asked.append(key)
            if key == (position, heads):
                prefix = "" if len(asked) == 1 else f"{name}_"
                return layer.weights(f"{prefix}relative_bias.weight")
    unknown("whose table of biases this is")
