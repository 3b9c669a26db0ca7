"""Recurrent layers as sublayers: GRU, LSTM, and the decoder of RNNsearch.

GRU: Cho et al. 2014, arXiv:1406.1078. LSTM: Hochreiter, Schmidhuber 1997; Gers et al. 2000.
Attention with the state as the query: Bahdanau et al. 2014, arXiv:1409.0473.
"""

from __future__ import annotations

from typing import Any

from ...spec.attention import Mha
from ...spec.part import Nothing
from ...spec.sublayers import Gru, Lstm
from ..axes import ONE, B, Dim, M, S, T
from .builder import Builder
from .masks import lower_memory_mask
from .positions import argument
from .reads import consume
from .scale import lower_scale
from .state import StackState

TITLES = {
    "gru": "Gated recurrent unit{} (Cho et al. 2014, arXiv:1406.1078).",
    "lstm": "Long short-term memory{} (Hochreiter, Schmidhuber 1997; Gers et al. 2000).",
}
ATTENTIVE = "{} whose state attends to a memory (Bahdanau et al. 2014, arXiv:1409.0473)."


def lower_recurrence(b: Builder, state: StackState, part: Gru | Lstm, x: str) -> str:
    """The output of the branch, (B, T, D), or with `output: none` the result itself."""
    attends = not isinstance(part.attention, Nothing)
    title = TITLES[part.type].format(" in both directions" if part.bidirectional else "")
    if attends:
        title = ATTENTIVE.format(part.type.upper())
    with b.module(state.branch, noun=part.type.capitalize(), title=title):
        hidden = Dim("H", b.size("hidden", part.hidden))
        initial = _initial(b, state, part, hidden)
        y = _one_way(b, state, part, x, hidden, initial, "")
        state.direction = hidden if part.bidirectional else None
        if part.bidirectional:
            back = _one_way(b, state, part, x, hidden, initial, "backward_")
            y = [b.op("concat", *y, *back, dim=hidden.times(2), out="y")]
        parts = dict(zip(_computed(part), y, strict=True))
        parts["input"] = x
        given = [parts[name] for name in part.result]
        width = b.width(given[0])
        if len(given) > 1:
            total: Any = width.size
            for one in given[1:]:
                total = total + b.width(one).size
            width = Dim("Dr", total)
            given = [b.op("concat", *given, dim=width, out="y")]
        if part.output == "none":
            return given[0]
        return b.op(
            "linear",
            given[0],
            name="output",
            in_features=width.size,
            out_dim=state.width,
            bias=bool(part.bias),
            residual=True,
        )


def _computed(part: Gru | Lstm) -> tuple[str, ...]:
    """What the loop computes for the result."""
    return tuple(name for name in dict.fromkeys(part.result) if name != "input")


def _initial(b: Builder, state: StackState, part: Gru | Lstm, hidden: Dim) -> str:
    """The state before the first token, (B, H); "" for zeros."""
    if part.initial is None:
        return ""
    memory = state.memories[part.initial.memory]
    width, backward = memory.width, part.initial.direction == "backward"
    if memory.halves is not None:
        width = memory.halves
    with b.at("initial"):
        read = b.op(
            "last_state",
            memory.value,
            backward=backward,
            half=memory.halves is not None,
            dim=width,
        )
    first = b.op(
        "linear",
        read,
        name="initial",
        in_features=width.size,
        out_dim=hidden,
        bias=bool(part.bias),
    )
    return b.op("activation", first, function="tanh", beta=None, out="first")


def _one_way(
    b: Builder, state: StackState, part: Gru | Lstm, x: str, hidden: Dim, initial: str, prefix: str
) -> list[str]:
    """The values of the result that a loop over the tokens computes, each (B, T, H) or wider."""
    gates = 3 if isinstance(part, Gru) else 4
    given = b.op(
        "linear",
        x,
        name=f"{prefix}input",
        in_features=b.width(x).size,
        out_dim=hidden.times(gates),
        bias=bool(part.bias),
        out=f"{prefix}gates",
    )
    keys = S if state.cached else T
    padding = argument(b, state, "attention_mask", (B, keys))
    results = _computed(part)
    reads, options = _attention(b, state, part, hidden, results)
    after = isinstance(part, Gru) and part.reset == "after"
    return b.ops(
        "recur",
        given,
        initial,
        padding,
        *reads,
        out=tuple({"state": f"{prefix}states"}.get(name, f"{name}s") for name in results),
        cell=f"{part.type}_reset_after" if after else part.type,
        prefix=prefix,
        hidden=hidden,
        bias=bool(part.bias) and after,
        results=results,
        cached=state.cached,
        **options,
    )


def _attention(
    b: Builder, state: StackState, part: Gru | Lstm, hidden: Dim, results: tuple[str, ...]
) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Keys, values, mask and score vector of the memory, and the options of the attention."""
    attention: Any = part.attention
    if not isinstance(attention, Mha):
        return (), {"query": None}
    memory = state.memories[attention.memory]  # type: ignore[attr-defined]
    assert state.width.size is not None
    with b.at("attention"), b.within("attention"):
        consume(attention, "heads", "value", "output")
        own = attention.head_dim
        head = Dim("E", state.width.size if own is None else b.size("head_dim", own))
        source = Dim("Dm", memory.width.size)
        method = b.module("keys_and_values", role="method", title="Keys and values of the memory.")
        with method, b.as_long_as(M):
            key = b.op(
                "linear",
                memory.value,
                name="key",
                in_features=memory.width.size,
                out_dim=head,
                bias=_has_bias(attention, "key"),
            )
            key = b.op("split_heads", key, heads=ONE, width=head, out="k")
            value = b.op("split_heads", memory.value, heads=ONE, width=source, out="v")
        mask = lower_memory_mask(b, memory)
        vector = ""
        if attention.score == "additive":
            vector = b.op("score_vector", name="score", heads=ONE, width=head)
        scale = "none" if vector and attention.scale is None else attention.scale
        return (key, value, mask, vector), {
            "query": head,
            "context": source,
            "query_bias": _has_bias(attention, "query"),
            "scale": lower_scale(b, scale, head, ()),
        }


def _has_bias(part: Mha, projection: str) -> bool:
    bias = part.bias
    return bool(bias) if isinstance(bias, bool) else projection in (bias or ())
