"""Multi-head latent attention (DeepSeek-AI, 2024, arXiv:2405.04434, section 2.1)."""

from __future__ import annotations

import numpy as np

from ...spec.attention import Mla
from ...spec.norm import RmsNorm
from ...spec.positions import Rotary
from .context import Layer, Memory
from .masks import visible
from .pointwise import normalize, softmax
from .rotary import query_growth, rotated
from .scores import added, scale_of
from .weights import Array, Weights


def turned(layer: Layer, x: Array) -> Array:
    """The part of one head, (T, R), that knows its position."""
    for position in layer.positions:
        if isinstance(position, Rotary):
            x = rotated(position, layer.tokens, x, layer.longest)
    return x


def mla(layer: Layer, part: Mla, weights: Weights, x: Array, memory: Memory | None) -> Array:
    """(T, D) -> (T, D): eq. 9 to 19 of the paper.

    A head's query is [content; rotated]; its key [content of the latent vector; a rotated key that
    all heads share]; its value is made of the latent vector too.
    """
    source = memory or Memory(x, layer.tokens, own=True)
    heads, still, turning = part.heads, part.nope_dim, part.rope_dim
    bias = part.bias is True
    norm = RmsNorm(eps=part.latent_eps)
    if part.query_rank is None:
        q = weights.linear("query", x, heads * (still + turning), bias=False)
    else:
        down = weights.linear("query_down", x, part.query_rank, bias=bias)
        down = normalize(norm, weights, "query_norm", down)
        q = weights.linear("query_up", down, heads * (still + turning), bias=False)
    q = q.reshape(len(x), heads, still + turning)
    latent = weights.linear("kv_down", source.x, part.kv_rank, bias=bias)
    latent = normalize(norm, weights, "kv_norm", latent)
    k = weights.linear("key_up", latent, heads * still, bias=False).reshape(-1, heads, still)
    v = weights.linear("value_up", latent, heads * part.value_dim, bias=False)
    v = v.reshape(-1, heads, part.value_dim)
    shared = turned(layer, weights.linear("key_rope", source.x, turning, bias=bias))
    growth = query_growth(layer.positions, layer.tokens)[:, None]
    found = np.zeros((heads, len(x), len(source.x)))
    for head in range(heads):
        content = (q[:, head, :still] * growth) @ k[:, head].T
        found[head] = content + (turned(layer, q[:, head, still:]) * growth) @ shared.T
    scale = scale_of(layer, part, still + turning)
    found = scale * found + added(layer, weights, heads, scale)
    seen = visible(layer, source, heads)
    shares = softmax(np.where(seen, found, -np.inf))
    y = np.einsum("hts,shv->thv", shares, v).reshape(len(x), -1)
    return weights.linear("output", y, layer.width, bias=bias)
