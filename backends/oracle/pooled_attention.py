"""Attention without pairwise scores: linear attention, Lightning attention, Fastformer."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...spec.attention import Fastformer, LinearAttention
from .attention import gated
from .context import Layer, Memory, Tokens
from .pointwise import ACTIVATIONS, normalize, softmax
from .weights import Array, Weights, unknown

FEATURES: dict[str, Callable[[Array], Array]] = {**ACTIVATIONS, "softmax": softmax}
FEATURES["elu"] = lambda x: np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))


def decay_rates(layer: Layer, part: LinearAttention) -> Array:
    """(H,): weights shrink by exp(-rate) from token to token. The rate of head h of H is
    2^(-8 h / H) times 1 - l / (L - 1), for layer l of L (MiniMax, 2025, arXiv:2501.08313, section
    2.2.2), with the small numbers of `transformers`.
    """
    if part.decay == "none":
        return np.zeros(part.heads)
    depth = 1 - layer.number / (layer.stack.layers - 1 + 1e-5) + 1e-5
    return np.asarray(depth * 2.0 ** (-8 * np.arange(1, part.heads + 1) / part.heads))


def linear(layer: Layer, part: LinearAttention, weights: Weights, x: Array, memory: Any) -> Array:
    """φ(q_i) Σ_j φ(k_j) v_j / (φ(q_i) Σ_j φ(k_j) + 1e-6), (T, D) -> (T, D) (Katharopoulos et al.,
    2020, arXiv:2006.16236, eq. 5 and 9). Padding is not part of the sums.
    """
    source = memory or Memory(x, layer.tokens, own=True)
    heads, width = part.heads, part.head_dim or layer.width // part.heads
    q, k, v = (
        weights.linear(name, of, heads * width, bias=part.bias is True).reshape(-1, heads, width)
        for name, of in (("query", x), ("key", source.x), ("value", source.x))
    )
    feature = FEATURES[part.feature_map]
    q, k, v = feature(q), feature(k), feature(v) if part.map_values else v
    causal = {"full": False, "causal": True}[str(layer.mask)] and source.own
    rates = decay_rates(layer, part)
    y = np.zeros((len(x), heads, width))
    for head in range(heads):
        for i in range(len(x)):
            total, weight = np.zeros(width), 0.0
            for j in range(i + 1 if causal else len(source.x)):
                if source.tokens.admitted[j]:
                    share = (q[i, head] @ k[j, head]) * np.exp(-rates[head] * (i - j))
                    total, weight = total + share * v[j, head], weight + share
            y[i, head] = total / (weight + 1e-6) if part.normalize else total
    flat = normalize(part.output_norm, weights, "output_norm", y.reshape(len(x), -1))
    flat = gated(part, weights, x, flat.reshape(y.shape))
    return weights.linear("output", flat, layer.width, bias=part.bias is True)


def pool(x: Array, vectors: Array, tokens: Tokens, rate: float | None) -> Array:
    """One vector per head: Σ_i softmax_i(w · x_i / √E) x_i (eq. 3 to 5), where x_i is the head's
    part of a token. x: (T, H · E), vectors: (H, E), result: (H · E,).
    """
    heads = x.reshape(len(x), *vectors.shape)
    scores = np.einsum("the,he->ht", heads, vectors) / np.sqrt(vectors.shape[1])
    shares = softmax(np.where(tokens.admitted, scores, -np.inf))
    shares = tokens.dropped(shares[..., None], rate)[..., 0]
    return np.einsum("ht,the->he", shares, heads).ravel()


def fastformer(layer: Layer, part: Fastformer, weights: Weights, x: Array, memory: Any) -> Array:
    """Additive attention (Wu et al., 2021, arXiv:2108.09084, section 3.2), (T, D) -> (T, D)."""
    if memory is not None or str(layer.mask) != "full":
        raise unknown("cross-attention or a mask in Fastformer")
    bias, width = part.bias is True, layer.width // part.heads
    names = ("query", "key", "value")
    q, k, v = (weights.linear(name, x, layer.width, bias=bias) for name in names)
    tokens, rate = layer.tokens, part.dropout
    asked = k * pool(q, weights("query_pool", part.heads, width), tokens, rate)
    read = v * pool(asked, weights("key_pool", part.heads, width), tokens, rate)
    return weights.linear("output", read, layer.width, bias=bias) + q
