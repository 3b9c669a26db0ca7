"""Recurrences as loops over the tokens.

GRU: Cho et al. 2014, arXiv:1406.1078. LSTM: Gers et al. 2000. Attention: Bahdanau et al. 2014,
arXiv:1409.0473.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .attention import SCORES, softmax
from .call import Array, Call, as_mask


def sigmoid(x: Array) -> Array:
    return np.asarray(0.5 * (1 + np.tanh(x / 2)))


def _gru(x: Array, state: Array, weight: Array, bias: Array) -> Array:
    size = weight.shape[1]
    both = x[:, : 2 * size] + state @ weight[: 2 * size].T
    reset, update = np.split(sigmoid(both), 2, axis=1)
    new = np.tanh(x[:, 2 * size :] + (reset * state) @ weight[2 * size :].T)
    return np.asarray((1 - update) * state + update * new)


def _gru_reset_after(x: Array, state: Array, weight: Array, bias: Array) -> Array:
    size = weight.shape[1]
    inner = state @ weight.T + bias
    reset, update = np.split(sigmoid((x + inner)[:, : 2 * size]), 2, axis=1)
    new = np.tanh(x[:, 2 * size :] + reset * inner[:, 2 * size :])
    return np.asarray((1 - update) * state + update * new)


def _lstm(x: Array, state: Array, weight: Array, bias: Array) -> Array:
    hidden, cell = np.split(state, 2, axis=1)
    enter, forget, new, leave = np.split(x + hidden @ weight.T, 4, axis=1)
    cell = sigmoid(forget) * cell + sigmoid(enter) * np.tanh(new)
    return np.concatenate([sigmoid(leave) * np.tanh(cell), cell], axis=1)


CELLS: dict[str, Callable[[Array, Array, Array, Array], Array]] = {
    "gru": _gru,
    "gru_reset_after": _gru_reset_after,
    "lstm": _lstm,
}


def recur(call: Call) -> tuple[Array, ...]:
    """The results of the loop, each (B, T, H) or wider."""
    x, prefix, size = call.given("x"), call.value("prefix"), int(call.attrs["hidden"].size)
    weight = call.weights[f"{prefix}state.weight"]
    bias = call.weights.get(f"{prefix}state.bias", np.zeros(len(weight)))
    padding = call.optional("attention_mask")
    real = np.ones(x.shape[:2], bool) if padding is None else as_mask(padding)
    state = np.zeros((len(x), size * (2 if call.attrs["cell"] == "lstm" else 1)))
    first = call.optional("initial")
    if first is not None:
        state[:, :size] = first
    rows: dict[str, dict[int, Array]] = {"state": {}, "previous_state": {}, "context": {}}
    for t in range(x.shape[1])[:: -1 if prefix else 1]:
        given = x[:, t]
        rows["previous_state"][t] = state[:, :size]
        if call.attrs["query"] is not None:
            rows["context"][t] = _context(call, state[:, :size])
            given = given + rows["context"][t] @ call.weights["context.weight"].T
        new = CELLS[call.attrs["cell"]](given, state, weight, bias)
        state = np.where(real[:, t, None], new, state)
        rows["state"][t] = state[:, :size]
    return tuple(
        np.stack([rows[name][t] for t in range(x.shape[1])], axis=1)
        for name in call.attrs["results"]
    )


def _context(call: Call, state: Array) -> Array:
    """The mean of the values, weighted by a softmax of scores, (B, V)."""
    query = state @ call.weights["query.weight"].T + call.weights.get("query.bias", 0)
    k, v, mask = call.given("k")[:, 0], call.given("v")[:, 0], call.optional("memory_mask")
    vector = call.optional("vector")
    scale = call.value("scale")
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    compare = SCORES["dot" if vector is None else "additive"]
    found = []
    for b in range(len(query)):
        empty = np.empty(0) if vector is None else vector[0]
        scores = compare(query[b][None], k[b], empty) * scale
        if mask is not None:
            scores = np.where(
                np.broadcast_to(mask, (len(query), 1, 1, k.shape[1]))[b, 0], scores, -np.inf
            )
        found.append((softmax(scores) @ v[b])[0])
    return np.stack(found)


def last_state(call: Call) -> Array:
    """The state at the last token, or at the first one of a recurrence from the end, (B, H)."""
    x, backward = call.given("x"), call.attrs["backward"]
    row = x[:, 0 if backward else -1]
    return np.split(row, 2, axis=1)[1 if backward else 0] if call.attrs["half"] else row


def maxout(call: Call) -> Array:
    """The maximum of each pair."""
    x = call.given("x")
    return np.maximum(x[..., ::2], x[..., 1::2])
