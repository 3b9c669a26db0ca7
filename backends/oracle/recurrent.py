"""Recurrent layers of one sequence, token by token."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ...spec.part import Nothing
from ...spec.sublayers import Gru, Recurrence
from .context import Layer, Memory
from .pointwise import sigmoid, softmax
from .scores import scale_of
from .weights import Array, Weights, has_bias

Step = Callable[[Array, Array], Array]
"""Function from a state and the inputs of the gates to the next state."""


def gru(part: Gru, weights: Weights, prefix: str) -> Step:
    """Bahdanau et al., 2014, arXiv:1409.0473, appendix A.1.1: s' = (1 - z) s + z n, where z weighs
    the new state, and n = tanh(W x + U [r s]). `after`: Chung et al. and cuDNN.
    """
    size = part.hidden
    matrix = weights(f"{prefix}state.weight", 3 * size, size)
    after = part.reset == "after"
    shift = np.zeros(3 * size)
    if after and part.bias is True:
        shift = weights(f"{prefix}state.bias", 3 * size)

    def step(state: Array, given: Array) -> Array:
        r, z = np.split(sigmoid((given + matrix @ state + shift)[: 2 * size]), 2)
        rows, more = matrix[2 * size :], shift[2 * size :]
        n = r * (rows @ state + more) if after else rows @ (r * state)
        n = np.tanh(given[2 * size :] + n)
        found: Array = (1 - z) * state + z * n
        return found

    return step


def lstm(part: Recurrence, weights: Weights, prefix: str) -> Step:
    """Gers et al., 2000, equations 1 to 6; a state is [s; c]."""
    size = part.hidden
    matrix = weights(f"{prefix}state.weight", 4 * size, size)

    def step(state: Array, given: Array) -> Array:
        s, c = np.split(state, 2)
        i, f, g, o = np.split(given + matrix @ s, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return np.concatenate([sigmoid(o) * np.tanh(c), c])

    return step


def first_state(part: Recurrence, weights: Weights, memories: dict[str, Memory]) -> Array:
    """tanh(W_s h) of a state of another stack (appendix A.2.2), or zeros. A cell starts at 0."""
    found = np.zeros(part.hidden if isinstance(part, Gru) else 2 * part.hidden)
    if part.initial is None:
        return found
    memory = memories[part.initial.memory]
    read = memory.x[0 if part.initial.direction == "backward" else -1]
    last: Any = memory.stack.blocks[memory.stack.order[-1]].sublayers[-1] if memory.stack else None
    if last.bidirectional:
        read = np.split(read, 2)[part.initial.direction == "backward"]
    found[: part.hidden] = np.tanh(
        weights.linear("initial", read, part.hidden, bias=part.bias is True)
    )
    return found


def contexts(
    layer: Layer, part: Recurrence, weights: Weights, memories: dict[str, Memory]
) -> Callable[[Array], Array]:
    """The context c_i of a state: the mean of the memory weighted by a softmax of scores
    v · tanh(W_a s + U_a h), or of scaled dot products (appendix A.1.2).
    """
    attention: Any = part.attention
    memory = memories[attention.memory]
    width = attention.head_dim or layer.width // attention.heads
    keys = weights.linear("key", memory.x, width, bias=has_bias(attention, "key"))
    vector = weights("score", 1, width)[0] if attention.score == "additive" else None

    def context(state: Array) -> Array:
        query = weights.linear(
            "query", state[: part.hidden], width, bias=has_bias(attention, "query")
        )
        found = keys @ query if vector is None else np.tanh(query + keys) @ vector
        found = found * scale_of(replace(layer, positions=()), attention, width)
        shares: Array = softmax(np.where(memory.tokens.admitted, found, -np.inf))
        return shares @ memory.x

    return context


def one_way(
    layer: Layer, part: Recurrence, weights: Weights, x: Array, memories: Any, prefix: str
) -> dict[str, Array]:
    """What can be in the result, each (T, width); from the end if there is a prefix."""
    gates = 3 if isinstance(part, Gru) else 4
    given = weights.linear(f"{prefix}input", x, gates * part.hidden, bias=part.bias is True)
    step = gru(part, weights, prefix) if isinstance(part, Gru) else lstm(part, weights, prefix)
    state = first_state(part, weights, memories)
    attends = not isinstance(part.attention, Nothing)
    context = contexts(layer, part, weights, memories) if attends else lambda state: np.zeros(0)
    found: dict[str, dict[int, Array]] = {"state": {}, "previous_state": {}, "context": {}}
    for t in range(len(x))[:: -1 if prefix else 1]:
        c = found["context"][t] = context(state)
        found["previous_state"][t] = state[: part.hidden]
        if layer.tokens.admitted[t]:  # padding leaves the state as it is
            more = weights.linear("context", c, len(given[t]), bias=False) if attends else 0
            state = step(state, given[t] + more)
        found["state"][t] = state[: part.hidden]
    rows = {name: [by[t] for t in range(len(x))] for name, by in found.items()}
    return {"input": x, **{name: np.stack(each) for name, each in rows.items()}}


def recurrence(
    layer: Layer, part: Recurrence, weights: Weights, x: Array, memories: dict[str, Memory]
) -> Array:
    """(T, D) -> (T, D), or the result itself with `output: none`."""
    prefixes = ("", "backward_") if part.bidirectional else ("",)
    ways = [one_way(layer, part, weights, x, memories, prefix) for prefix in prefixes]
    y = np.concatenate([way[name] for way in ways for name in part.result], axis=-1)
    if part.output == "none":
        return y
    return weights.linear("output", y, layer.width, bias=part.bias is True)
