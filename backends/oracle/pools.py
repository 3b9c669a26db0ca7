"""Pools: how the vectors of a sequence become one."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...spec.pool import (
    AttentionPool,
    FirstAndMeanPool,
    FirstPool,
    LastPool,
    MaxPool,
    MeanPool,
    TokenPool,
)
from .errors import unknown
from .pointwise import softmax
from .tokens import Tokens
from .weights import Array, Weights


def mean(pool: MeanPool | FirstAndMeanPool, tokens: Tokens, x: Array) -> Array:
    """Over the tokens that attention_mask admits, without the first `skip`."""
    return x[tokens.admitted & (tokens.index >= pool.skip)].mean(axis=0)


def first(pool: FirstPool, x: Array) -> Array:
    """The vector at place 0, even where it is padding: the page says no more than `first`."""
    front = x[: pool.tokens]
    return front.ravel() if pool.joined else front.mean(axis=0)


def token(pool: TokenPool, tokens: Tokens, x: Array) -> Array:
    """At the first place of an id; place 0 where it stands nowhere, as CLIP's argmax gives."""
    assert tokens.ids is not None
    return x[int(np.argmax(tokens.ids == pool.id))]


def attention(weights: Weights, name: str, tokens: Tokens, x: Array) -> Array:
    scores = weights.linear(name, x, 1, bias=False)[:, 0]
    found: Array = softmax(np.where(tokens.admitted, scores, -np.inf)) @ x
    return found


def pooled(pool: Any, weights: Weights, name: str, tokens: Tokens, x: Array) -> Array:
    """(T, D) -> (D,), or wider. name: of the weight of an `attention` pool."""
    if isinstance(pool, FirstPool):
        return first(pool, x)
    if isinstance(pool, LastPool):
        return x[tokens.admitted][-1]
    if isinstance(pool, MeanPool):
        return mean(pool, tokens, x)
    if isinstance(pool, FirstAndMeanPool):
        return np.concatenate([x[0], mean(pool, tokens, x)])
    if isinstance(pool, MaxPool):
        return x[tokens.admitted].max(axis=0)
    if isinstance(pool, AttentionPool):
        return attention(weights, name, tokens, x)
    if isinstance(pool, TokenPool):
        return token(pool, tokens, x)
    raise unknown(f"a pool of type `{pool.type}`")
