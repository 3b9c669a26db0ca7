"""Recurrences: loops over the tokens."""

from __future__ import annotations

from collections.abc import Iterator

from ..axes import Dim, Shape
from ..cost import Poly, elements
from ..graph import Op, Value, Weight
from .row import NORMAL, ZEROS, Attrs, Inputs, Row
from .saved import OUT, Kept, Own, Saving, view

GATES = {"gru": 3, "gru_reset_after": 3, "lstm": 4}
"""Cell -> the rows of its weights, in multiples of the width of the state."""

STEP_SAVES = {"gru": 6, "gru_reset_after": 8, "lstm": 7}
"""Cell -> numbers that autograd keeps of a step, in the same multiples."""


def recur_weights(attrs: Attrs) -> tuple[Weight, ...]:
    hidden, query, prefix = attrs["hidden"].size, attrs["query"], attrs["prefix"]
    rows = GATES[attrs["cell"]] * hidden
    found = [Weight(f"{prefix}state.weight", (rows, hidden), NORMAL)]
    if attrs["bias"]:
        found.append(Weight(f"{prefix}state.bias", (rows,), ZEROS))
    if query is not None:
        found.append(Weight("query.weight", (query.size, hidden), NORMAL))
        if attrs["query_bias"]:
            found.append(Weight("query.bias", (query.size,), ZEROS))
        found.append(Weight("context.weight", (rows, attrs["context"].size), NORMAL))
    return tuple(found)


def recur_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    batch, length, _ = inputs["x"].shape
    hidden: Dim = attrs["hidden"]
    context: Dim = attrs.get("context") or hidden
    return [(batch, length, context if name == "context" else hidden) for name in attrs["results"]]


def recur_flops(op: Op, values: dict[str, Value]) -> Poly:
    """FLOPs of the gates and, for each token, of the query, the scores and the context."""
    x, hidden = values[op.arg("x")].shape, int(op.attrs["hidden"].size)
    rows = GATES[op.attrs["cell"]] * hidden
    tokens = elements(x[:2])
    total = 2 * rows * hidden * tokens
    if op.attrs["query"] is not None:
        width, context = int(op.attrs["query"].size), int(op.attrs["context"].size)
        keys = elements(values[op.arg("k")].shape[2:3])
        total = total + 2 * (width * hidden + rows * context) * tokens
        total = total + 2 * (width + context) * tokens * keys
    return total


def last_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    return [(inputs["x"].shape[0], attrs["dim"])]


def recur_saves(s: Saving) -> Iterator[Kept]:
    """States and gates of each step, and what its attention keeps."""
    tokens = elements(s.shape("x")[:2])
    cell, hidden = s.op.attrs["cell"], int(s.op.attrs["hidden"].size)
    yield Own("float", STEP_SAVES[cell] * hidden * tokens)
    if cell != "lstm":  # no factor of the zeros before the first token, nor of an unused last state
        less = (not s.given("initial")) + ("state" not in s.op.attrs["results"])
        yield Own("float", -less * hidden * elements(s.shape("x")[:1]))
    if s.op.attrs["query"] is None:
        return
    width, context = int(s.op.attrs["query"].size), int(s.op.attrs["context"].size)
    scores = tokens * elements(s.shape("k")[2:3])
    yield Own("float", context * tokens)
    if s.given("vector"):  # tanh(q + k), the expanded vector, scores, softmax and weights
        yield Own("float", width * scores + width * tokens + 2 * scores)
        yield Own("bool", scores)
    elif s.fused or width == context:
        yield Own("float", (width + context + 1) * tokens)
    else:  # copies of queries and keys, and the attention weights; of one head, values are views
        yield Own("wide", width * tokens + (width + 1) * scores)
        yield Own("wide", context * scores) if s.narrow else "v"


def recur_stores(s: Saving) -> tuple[str, Poly]:
    """The states of an LSTM are a view of states and cells."""
    cells = s.op.attrs["cell"] == "lstm" and s.op.attrs["results"][0] == "state"
    return "float", (2 if cells else 1) * s.size(OUT)


ROWS: dict[str, Row] = {
    "recur": Row(
        "a loop over the tokens of x (B, T, G*H), which the inputs add to the gates; from the last "
        "to the first with `prefix` backward_. The state s (B, H) is `initial`, or zeros, and "
        "stays as it is at padding. gru: z, r = sigmoid(x + U s), n = tanh(x + U (r s)), s' = (1 - "
        "z) s + z n, rows r, z, n of the weight; gru_reset_after: n = tanh(x + r (U s + b)); lstm: "
        "i, f, o = sigmoid(x + U s), g = tanh(x + U s), c' = f c + i g, s' = o tanh(c'), rows i, "
        "f, g, o. With keys and values: the context softmax(score(query s, k) * scale) v of the "
        "previous state, times the weight `context`, is added to x. results: new states, previous "
        "states and contexts, in the order of `results`",
        ("x", "initial?", "attention_mask?", "k?", "v?", "memory_mask?", "vector?"),
        recur_shape,
        recur_weights,
        recur_flops,
        attrs=(
            "cell",
            "prefix",
            "hidden",
            "bias",
            "results",
            "cached",
            "query",
            "query_bias?",
            "context?",
            "scale?",
            "hooked?",
        ),
        saves=recur_saves,
        stores=recur_stores,
    ),
    "last_state": Row(
        "x (B, M, D) at the last token; with `backward` at the first one. With `half`, the first "
        "half of its numbers, or the second with `backward`",
        ("x",),
        last_shape,
        attrs=("backward", "half", "dim"),
        view=view("x"),
    ),
    "maxout": Row(
        "the maximum of each pair of neighbouring numbers of the last axis",
        ("x",),
        lambda inputs, attrs: [(*inputs["x"].shape[:-1], attrs["dim"])],
        attrs=("dim",),
        saves=lambda s: [s.own("x")],
    ),
}
