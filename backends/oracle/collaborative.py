"""Collaborative attention of one sequence."""

import math

import numpy as np

from ...spec.attention import Collaborative
from .context import Layer, Memory
from .masks import visible
from .pointwise import softmax
from .rotary import query_growth
from .scores import added
from .weights import Array, Weights


def collaborative(
    layer: Layer, part: Collaborative, weights: Weights, x: Array, memory: Memory | None
) -> Array:
    """(T, D) -> (T, D) (Cordonnier et al., 2020, arXiv:2006.16362, definition of CollabHead).

    Head i is Attention(X W_Q diag(m_i), Y W_K, Y W_V,i).
    """
    source = memory or Memory(x, layer.tokens, own=True)
    heads, bias = part.heads, part.bias is True
    shared = part.key_dim or layer.width
    width = part.value_dim or layer.width // heads
    q = weights.linear("query", x, shared, bias=bias)
    q = q * query_growth(layer.positions, layer.tokens)[:, None]
    k = weights.linear("key", source.x, shared, bias=bias)
    v = weights.linear("value", source.x, heads * width, bias=bias)
    mixing = weights("mixing", heads, shared)
    scale = math.sqrt(heads / shared) if part.scale is None else part.scale
    scale = 1.0 if scale == "none" else float(scale)
    biases = added(layer, weights, heads, scale)
    seen = visible(layer, source, heads)
    outputs = []
    for head in range(heads):
        found = scale * (q @ np.diag(mixing[head]) @ k.T)
        found = found + biases[min(head, len(biases) - 1)]
        outputs.append(np.where(np.broadcast_to(seen, (heads, *found.shape))[head], found, -np.inf))
    shares = layer.tokens.dropped(softmax(np.stack(outputs)), part.dropout)
    y = np.einsum("hts,shv->thv", shares, v.reshape(-1, heads, width))
    return weights.linear("output", y.reshape(len(x), -1), layer.width, bias=bias)
