"""Ops around attention: heads, cache, sinks, and the choice of the kernel."""

from __future__ import annotations

from typing import Any

from ....compiler.axes import ONE
from ....compiler.graph import Op
from ..code.nodes import If, Name, Sequence, Set
from ..code.read import expression
from ..writer import Writer
from .kernels import KERNELS, tiled
from .row import Row


def split_heads(f: Writer, op: Op) -> Any:
    x = f.arg(op, "x")
    if op.attrs["heads"] == ONE:
        return expression("x.unsqueeze(1)", x=x)
    if op.attrs["width"] == ONE:
        return expression("x.transpose(1, 2).unsqueeze(-1)", x=x)
    width = f.number(op.attrs["width"].size, "head_dim")
    if len(f.graph.values[op.arg("x")].shape) == 3:
        return expression("x.unflatten(-1, (-1, width)).transpose(1, 2)", x=x, width=width)
    return expression("x.unflatten(-1, (-1, width)).transpose(0, 1)", x=x, width=width)


def merge_heads(f: Writer, op: Op) -> Any:
    return expression("x.transpose(1, 2).flatten(-2)", x=f.arg(op, "x"))


def expand_heads(f: Writer, op: Op) -> Any:
    heads = f.number(op.attrs["heads"].size)
    return expression("x.expand(-1, heads, -1, -1)", x=f.arg(op, "x"), heads=heads)


def concat(f: Writer, op: Op) -> Any:
    parts = Sequence(tuple(f.use_all(op.args("parts"))), "[]")
    return expression("torch.cat(parts, dim=-1)", parts=parts)


def cache(f: Writer, op: Op) -> None:
    k, v = f.given(op, "first", "second")
    if f.cached:
        longer = expression("cache.append(layer, k, v)", layer=f.layer(), k=k, v=v)
        append = Set(Sequence((k, v), ""), longer, f.note(*op.outputs))
        f.say(If(expression("cache is not None"), (append,)), op=op)
    for value, name in zip(op.outputs, (k, v), strict=True):
        f.names[value] = name
        if isinstance(name, Name):
            f.holds[name.id] = value


def attend(f: Writer, op: Op) -> Any:
    if op.attrs.get("tiles"):
        return tiled(f, op)
    return KERNELS[op.attrs["kernel"]](f, op)


def sinks(f: Writer, op: Op) -> Any:
    return f.own(op)


ROWS: dict[str, Row] = {
    "split_heads": split_heads,
    "merge_heads": merge_heads,
    "cache": cache,
    "expand_heads": expand_heads,
    "concat": concat,
    "sinks": sinks,
    "score_vector": sinks,
    "attend": attend,
}
