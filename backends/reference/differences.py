"""Differences of two attention maps: Ye et al. 2024, arXiv:2410.05258, eq. 1 to 3."""

from __future__ import annotations

import numpy as np

from .call import Array, Call


def _initial(call: Call) -> float:
    """lambda_init = 0.8 - 0.6 exp(-0.3 (l - 1)), where layers count from 1."""
    return float(0.8 - 0.6 * np.exp(-0.3 * call.layer))


def half_heads(call: Call) -> tuple[Array, Array]:
    """(B, 2*H, T, E) to twice (B, H, T, E)."""
    x, heads = call.given("x"), int(call.attrs["heads"].size)
    return x[:, :heads], x[:, heads:]


def learned_vector(call: Call) -> Array:
    return call.weights[""]


def difference_share(call: Call) -> Array:
    q1, k1, q2, k2 = (call.given(slot) for slot in ("query1", "key1", "query2", "key2"))
    return np.asarray(np.exp(q1 @ k1) - np.exp(q2 @ k2) + _initial(call))


def remaining_share(call: Call) -> Array:
    return np.asarray(call.given("x") * (1 - _initial(call)))


def subtract(call: Call) -> Array:
    return np.asarray(call.given("a") - call.given("share") * call.given("b"))
