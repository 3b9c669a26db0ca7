"""What stands around attention: heads, the cache, sinks; the kernel is chosen by name."""

from __future__ import annotations

from ....compiler.axes import ONE
from ....compiler.graph import Op
from ..function import Function
from ..text import ATOM, Expr
from .kernels import KERNELS
from .row import Row


def split_heads(f: Function, op: Op) -> Expr:
    x = f.use(op.inputs[0]).at(ATOM)
    if op.attrs["heads"] == ONE:
        return Expr(f"{x}.unsqueeze(1)")
    if op.attrs["width"] == ONE:
        return Expr(f"{x}.transpose(1, 2).unsqueeze(-1)")
    width = f.number(op.attrs["width"].size, "head_dim")
    axes = "1, 2" if len(f.graph.values[op.inputs[0]].shape) == 3 else "0, 1"
    return Expr(f"{x}.unflatten(-1, (-1, {width})).transpose({axes})")


def merge_heads(f: Function, op: Op) -> Expr:
    return Expr(f"{f.use(op.inputs[0]).at(ATOM)}.transpose(1, 2).flatten(-2)")


def expand_heads(f: Function, op: Op) -> Expr:
    heads = f.number(op.attrs["heads"].size)
    return Expr(f"{f.use(op.inputs[0]).at(ATOM)}.expand(-1, {heads}, -1, -1)")


def concat(f: Function, op: Op) -> Expr:
    parts = ", ".join(str(f.use(value)) for value in op.inputs)
    return Expr(f"torch.cat([{parts}], dim=-1)")


def cache(f: Function, op: Op) -> None:
    k, v = (str(f.use(value)) for value in op.inputs)
    if f.cached:
        f.say("if cache is not None:", op=op.number)
        note = f.comment(*op.outputs)
        f.say(f"{k}, {v} = cache.append({f.layer()}, {k}, {v})", note, op.number, indent=1)
    for value, name in zip(op.outputs, (k, v), strict=True):
        f.names[value], f.holds[name] = name, value


def attend(f: Function, op: Op) -> Expr:
    return KERNELS[op.attrs["kernel"]](f, op)


def sinks(f: Function, op: Op) -> Expr:
    return Expr(f.own(op))


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
