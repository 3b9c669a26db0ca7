"""Differences of two attention maps."""

from __future__ import annotations

from typing import Any

from ....compiler.graph import Op
from ..code.nodes import Set
from ..code.read import call, expression, names
from ..writer import Writer
from .row import Row


def half_heads(f: Writer, op: Op) -> None:
    x = f.arg(op, "x")
    bound = [f.bind(value, f.graph.values[value].name) for value in op.outputs]
    f.say(Set(names(*bound), expression("x.chunk(2, dim=1)", x=x), f.note(*op.outputs)), op=op)


def learned_vector(f: Writer, op: Op) -> Any:
    return f.own(op)


def difference_share(f: Writer, op: Op) -> Any:
    vectors = f.given(op, "query1", "key1", "query2", "key2")
    return call("difference_share", *vectors, f.layer())


def remaining_share(f: Writer, op: Op) -> Any:
    x = f.arg(op, "x")
    return expression("x * (1 - lambda_init(layer))", x=x, layer=f.layer())


def subtract(f: Writer, op: Op) -> Any:
    left, right, share = f.given(op, "a", "b", "share")
    return expression("left - share * right", left=left, right=right, share=share)


ROWS: dict[str, Row] = {
    "half_heads": half_heads,
    "learned_vector": learned_vector,
    "difference_share": difference_share,
    "remaining_share": remaining_share,
    "subtract": subtract,
}
