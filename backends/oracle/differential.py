"""Differential attention of one sequence."""

import math

import numpy as np

from ...spec.attention import Differential
from .attention import turned
from .context import Layer, Memory
from .masks import visible
from .pointwise import normalize, softmax
from .rotary import query_growth
from .scores import added, scale_of
from .weights import Array, Weights


def differential(
    layer: Layer, part: Differential, weights: Weights, x: Array, memory: Memory | None
) -> Array:
    """(T, D) -> (T, D) (Ye et al., 2024, arXiv:2410.05258, eq. 1 to 3).

    Head h has the queries h and heads + h, the keys of its group likewise, and one value.
    """
    source = memory or Memory(x, layer.tokens, own=True)
    heads, groups = part.heads, part.kv_heads or part.heads
    width, bias = part.head_dim or layer.width // (2 * heads), part.bias is True
    q = weights.linear("query", x, 2 * heads * width, bias=bias).reshape(-1, 2 * heads, width)
    k = weights.linear("key", source.x, 2 * groups * width, bias=bias)
    k = k.reshape(-1, 2 * groups, width)
    v = weights.linear("value", source.x, 2 * groups * width, bias=bias)
    v = v.reshape(-1, groups, 2 * width)
    q, k = turned(layer, q), turned(layer, k)
    q = q * query_growth(layer.positions, layer.tokens)[:, None, None]
    seen = visible(layer, source, heads)
    scale = scale_of(layer, part, width)
    bias_of_positions = added(layer, weights, heads, scale)
    initial = 0.8 - 0.6 * math.exp(-0.3 * layer.number)
    share = initial + math.exp(_product(weights, 1, width)) - math.exp(_product(weights, 2, width))
    outputs = []
    for which in (0, 1):
        asked = q[:, which * heads : (which + 1) * heads]
        keys = k[:, which * groups : (which + 1) * groups]
        keys = np.repeat(keys, heads // groups, axis=1)
        found = scale * np.einsum("the,she->hts", asked, keys) + bias_of_positions
        shares = layer.tokens.dropped(softmax(np.where(seen, found, -np.inf)), part.dropout)
        values = np.repeat(v, heads // groups, axis=1)
        outputs.append(np.einsum("hts,shv->thv", shares, values))
    y = normalize(part.head_norm, weights, "head_norm", outputs[0] - share * outputs[1])
    y = (1 - initial) * y.reshape(len(x), -1)
    return weights.linear("output", y, layer.width, bias=bias)


def _product(weights: Weights, which: int, width: int) -> float:
    """λq · λk of one of the two attention maps, from their learned vectors."""
    names = (f"lambda_query{which}", f"lambda_key{which}")
    first, second = (weights(name, width) for name in names)
    return float(first @ second)
