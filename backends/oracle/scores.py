"""Attention scores and positions that act on them."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...spec.attention import Mha, Pairwise
from ...spec.model import Block
from ...spec.positions import (
    Alibi,
    Disentangled,
    RelativeBias,
    RelativeTable,
    Shaw,
    TransformerXl,
)
from .branches import branches, kind_of, own
from .context import Layer
from .pointwise import normalize
from .relative import (
    alibi,
    disentangled,
    distance_table,
    pair_vectors,
    relative_bias,
    relative_table,
    rows_of,
    span,
    transformer_xl,
)
from .rotary import query_growth, score_growth
from .score_bias import score_biases
from .weights import Array, Weights, has_bias


def unit(x: Array) -> Array:
    """Normalise to length 1."""
    return x / np.maximum(np.sqrt((x**2).sum(axis=-1, keepdims=True)), 1e-12)


def distance(q: Array, k: Array, _: Array | None) -> Array:
    """-|q - k|², the exponent of Nadaraya's and Watson's Gaussian kernel (1964)."""
    return -((q[:, None] - k[None, :]) ** 2).sum(axis=-1)


def additive(q: Array, k: Array, w: Array | None) -> Array:
    """w · tanh(q + k) (Bahdanau et al., 2014, arXiv:1409.0473, appendix A.1.2)."""
    return np.tanh(q[:, None] + k[None, :]) @ w


KINDS: dict[str, Callable[[Array, Array, Array | None], Array]] = {
    "dot": lambda q, k, w: q @ k.T,
    "cosine": lambda q, k, w: q @ k.T,  # the vectors have length 1
    "distance": distance,
    "additive": additive,
}


def scale_of(layer: Layer, part: Pairwise, width: int) -> float:
    """The scale of the scores, including YaRN's factor."""
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

    softcap(scale · content score) + position bias. Temperature positions multiply queries first.
    """
    heads, width = q.shape[1], q.shape[2]
    q = q * query_growth(layer.positions, layer.tokens)[:, None, None]
    vector = weights("score", heads, width) if part.score == "additive" else None
    found = np.zeros((heads, len(q), len(k)))
    for head in range(heads):
        asked, w = q[:, head], None if vector is None else vector[head]
        if any(isinstance(p, TransformerXl) for p in layer.positions):
            asked = asked + weights("content_bias", heads, width)[head]
        found[head] = KINDS[part.score](asked, k[:, head], w)
    scale = scale_of(layer, part, width)
    found = softcapped(part.softcap, scale * found)
    if part.talking_heads in ("scores", "both"):  # Shazeer et al., 2020, section 3
        found = np.einsum("gh,hts->gts", weights("mix_scores", heads, heads), found)
    for position in layer.positions:
        if isinstance(position, TransformerXl):
            rows = weights("position.weight", heads * width, layer.width)
            bias = weights("position_bias", heads, width)
            rows = rows.reshape(heads, width, -1)
            found += scale * transformer_xl(layer.tokens, q, rows, bias, layer.dropout)
        elif isinstance(position, Disentangled):
            keys, queries = position_vectors(layer, part, weights, position, width)
            found += scale * disentangled(position, layer.tokens, q, k, keys, queries)
        elif isinstance(position, Shaw):  # Shaw et al., 2018, eq. 4
            table = weights("relative_keys.weight", 2 * position.max_distance + 1, width)
            vectors = pair_vectors(position, layer.tokens, table)
            found += scale * np.einsum("the,tse->hts", q, vectors)
    found = found + score_biases(layer, part, weights, heads)
    return found + added(layer, weights, heads, scale)


def position_vectors(
    layer: Layer, part: Mha, weights: Weights, position: Disentangled, width: int
) -> list[Array]:
    """DeBERTa's position table after the key and query projections: (2 · span, H, E)."""
    prefix, block, _ = first_asking(layer, position)
    table = layer.weights(f"{prefix}relative_embedding.weight", 2 * span(position), layer.width)
    if position.normalize:  # with the norm of the first block that uses the table
        table = normalize(block.norm, layer.weights, f"{prefix}relative_norm", table)
    table = layer.tokens.dropped_rows(table, layer.dropout)
    found = []
    for which, term in (("key", "content_to_position"), ("query", "position_to_content")):
        y = np.zeros((len(table), part.heads * width))
        if term in position.terms:
            name = which if position.share_projections else f"position_{which}"
            y = weights.linear(name, table, y.shape[-1], bias=has_bias(part, which))
        found.append(y.reshape(-1, part.heads, width))
    return found


def added(layer: Layer, weights: Weights, heads: int, scale: float) -> Array:
    """(H, T, T), or zeros (H, 1, 1): the position bias of the scores.

    Falcon's ALiBi (`before_scale`) is scaled like the scores.
    """
    total = np.zeros((heads, 1, 1))
    for position in layer.positions:
        if isinstance(position, Alibi):
            factor = scale if position.before_scale else 1
            total = total + factor * alibi(position, layer.tokens, heads)
        elif isinstance(position, RelativeBias):
            table = biases(layer, weights, position, (position.buckets, heads))
            total = total + relative_bias(position, layer.tokens, table)
        elif isinstance(position, RelativeTable) and position.axes == 1:
            count = len(layer.tokens.index)
            longest = layer.stack.max_positions or count
            table = biases(layer, weights, position, (2 * longest - 1, heads))
            total = total + distance_table(table, count)
        elif isinstance(position, RelativeTable):
            table = biases(layer, weights, position, (rows_of(layer.tokens), heads))
            total = total + relative_table(position, layer.tokens, table)
    return total


def biases(layer: Layer, weights: Weights, position: Any, shape: tuple[int, int]) -> Array:
    """(rows, H), one row per bucket or offset. Two tables of a block are named by type."""
    prefix, asking = "", layer.positions
    if position.share == "stack":
        prefix, _, asking = first_asking(layer, (position, shape[1]))
        weights = layer.weights
    kinds = {type(p) for p in asking if getattr(p, "share", "") == position.share}
    name = position.type if len(kinds) > 1 else "relative_bias"
    return weights(f"{prefix}{name}.weight", *shape)


Asker = tuple[str, Block, tuple[Any, ...]]
"""The prefix of a table's name, the block that uses it, and the positions there."""


def first_asking(layer: Layer, wanted: Any) -> Asker:
    """The first block or sublayer that uses a table.

    A stack has one table per set of options, and biases one per number of heads. The first table
    has no prefix, others have the names of the first block and sublayer that use them.
    """
    asked: dict[Any, Asker] = {}
    for name in layer.stack.order:
        block = layer.stack.blocks[name]
        for key, part in branches(block).items():
            if kind_of(part) != "attention":
                continue
            prefix = f"{name}_{key}_" if block.sublayers else f"{name}_"
            asker = (prefix, block, own(block, part, "positions"))
            for position in asker[2]:
                shared = getattr(position, "share", "") == "stack"
                if isinstance(wanted, Disentangled) and isinstance(position, Disentangled):
                    asked.setdefault(position, asker)
                elif shared and not isinstance(wanted, Disentangled):
                    asked.setdefault((position, part.heads), asker)
    prefix, block, positions = asked[wanted]
    return "" if wanted == next(iter(asked)) else prefix, block, positions
