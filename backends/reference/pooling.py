"""Pooling: one vector per sequence. Padding is ignored, except by `first`.

A sequence without real tokens gives zeros.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .attention import softmax
from .call import Array, Call, as_mask


def _first(x: Array, real: Array, call: Call) -> Array:
    average: Array = x[: call.attrs.get("tokens", 1)].mean(axis=0)
    return average


def _last(x: Array, real: Array, call: Call) -> Array:
    return np.asarray(x[real][-1])


def _mean(x: Array, real: Array, call: Call) -> Array:
    skip = call.attrs.get("skip", 0)
    average: Array = x[skip:][real[skip:]].mean(axis=0)
    return average


def _max(x: Array, real: Array, call: Call) -> Array:
    largest: Array = x[real].max(axis=0)
    return largest


POOLS: dict[str, Callable[[Array, Array, Call], Array]] = {
    "first": _first,
    "last": _last,
    "mean": _mean,
    "max": _max,
}


def _real(call: Call) -> Array:
    batch, length = call.given("x").shape[:2]
    mask = call.optional("attention_mask")
    return np.ones((batch, length), dtype=bool) if mask is None else as_mask(mask)


def _attention(call: Call) -> Array:
    """The mean of the tokens, weighted by a softmax of their scores."""
    x, scores = call.given("x"), call.given("extra")[..., 0]  # (B, T, D), (B, T)
    weights = softmax(np.where(_real(call), scores, -np.inf))
    result: Array = (weights[..., None] * x).sum(axis=1)
    return result


def _token(call: Call) -> Array:
    """The vector at the first occurrence of the id. Raises ValueError if there is none."""
    x, ids, wanted = call.given("x"), call.given("extra"), call.value("token")
    rows = []
    for row, vectors in zip(ids, x, strict=True):
        places = np.flatnonzero(row == wanted)
        if not places.size:
            raise ValueError(f"pool: the id {wanted} does not occur in every sequence")
        rows.append(vectors[places[0]])
    return np.stack(rows)


def join_tokens(call: Call) -> Array:
    """(B, T, D) to (B, tokens * D)."""
    x = call.given("x")[:, : call.value("tokens")]
    joined: Array = x.reshape(len(x), -1)
    return joined


def pool(call: Call) -> Array:
    """One vector per sequence, (B, D)."""
    how = call.attrs["how"]
    if how in ("attention", "token"):
        return _attention(call) if how == "attention" else _token(call)
    rows = []
    for vectors, real in zip(call.given("x"), _real(call), strict=True):
        empty = how != "first" and not real.any()
        rows.append(np.zeros(vectors.shape[-1]) if empty else POOLS[how](vectors, real, call))
    return np.stack(rows)
