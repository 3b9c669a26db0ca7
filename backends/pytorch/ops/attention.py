"""Ops around attention: heads, cache, sinks, and the choice of the kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....compiler.axes import ONE
from ....compiler.graph import ModuleGraph, Op, Scope
from ..code.nodes import Dot, If, Name, Sequence, Set
from ..code.read import call, constant, expression
from ..code.walk import change
from ..patterns import by_layer
from ..sizes import config_expression, over_bound
from ..writer import SELF, Writer
from .flex import flex
from .kernels import KERNELS, tiled
from .row import Row


def split_heads(f: Writer, op: Op) -> Any:
    x = f.arg(op, "x")
    if op.attrs["heads"] == ONE:
        return expression("x.unsqueeze(1)", x=x)
    axis = len(f.graph.values[op.arg("x")].shape) - 2
    if op.attrs["width"] == ONE:
        return expression(f"x.transpose({axis}, {axis + 1}).unsqueeze(-1)", x=x)
    name = "value_dim" if op.attrs["width"].label == "Ev" else "head_dim"
    width = f.number(op.attrs["width"].size, name)
    text = f"x.unflatten(-1, (-1, width)).transpose({axis}, {axis + 1})"
    return expression(text, x=x, width=width)


def merge_heads(f: Writer, op: Op) -> Any:
    axis = len(f.graph.values[op.arg("x")].shape) - 3
    return expression(f"x.transpose({axis}, {axis + 1}).flatten(-2)", x=f.arg(op, "x"))


def expand_heads(f: Writer, op: Op) -> Any:
    heads = f.number(op.attrs["heads"].size)
    return expression("x.expand(-1, heads, -1, -1)", x=f.arg(op, "x"), heads=heads)


def mix_vectors(f: Writer, op: Op) -> Any:
    return expression("x.unsqueeze(1) * mixing.unsqueeze(1)", x=f.arg(op, "x"), mixing=f.own(op))


def concat(f: Writer, op: Op) -> Any:
    parts = Sequence(tuple(f.use_all(op.args("parts"))), "[]")
    return expression("torch.cat(parts, dim=-1)", parts=parts)


def cache(f: Writer, op: Op) -> None:
    k, v = f.given(op, "first", "second")
    if f.cached:
        longer = call("cache.append", f.layer(), k, v, *previous_tokens(f, op))
        append = Set(Sequence((k, v), ""), longer, f.note(*op.outputs))
        f.say(If(expression("cache is not None"), (append,)), op=op)
    for value, name in zip(op.outputs, (k, v), strict=True):
        f.names[value] = name
        if isinstance(name, Name):
            f.holds[name.id] = value


def previous_tokens(f: Writer, op: Op) -> list[Any]:
    """How many previous tokens the cache of a layer keeps; nothing where all layers keep all."""
    layers = f.graph.layers_of(op.scope)
    assert layers is not None, "a cache stands in a layer"
    kept = f.plan.once(kept_tokens).get(layers.path)
    if kept is None:
        return []
    if f.by_call:
        return [_of_layer(layers, kept, f.number)]
    f.needs.attributes["kept"] = f.plan.once(_kept)[layers.path]
    f.needs.layer = True
    return [Dot(SELF, "kept")]


def kept_tokens(graph: ModuleGraph) -> dict[str, dict[str, Any]]:
    """Layers of a stack -> block -> how many previous tokens its cache keeps; None: all.

    Without the stacks whose layers all keep all.
    """
    found: dict[str, dict[str, Any]] = {}
    for op in [op for op in graph.ops() if op.kind == "cache"]:
        layers, block = graph.layers_of(op.scope), graph.block_of(op.scope)
        if layers is not None and block is not None:
            found.setdefault(layers.path, {})[block.name] = op.attrs.get("kept")
    return {path: kept for path, kept in found.items() if any(n is not None for n in kept.values())}


def _kept(graph: ModuleGraph) -> dict[str, Any]:
    """Layers of a stack -> how many previous tokens layer `layer` keeps, over the config."""
    stacks = kept_tokens(graph).items()
    return {path: _of_layer(graph.scopes[path], kept, config_expression) for path, kept in stacks}


def _of_layer(layers: Scope, kept: dict[str, Any], number: Callable[[Any], Any]) -> Any:
    none = constant(None)
    values = {kind: none if n is None else over_bound(n, number) for kind, n in kept.items()}
    return change(by_layer(layers, values, number, listed=False), {Name("i"): Name("layer")})


def attend(f: Writer, op: Op) -> Any:
    if op.attrs.get("flex"):
        return flex(f, op)
    if op.attrs.get("tiles"):
        return tiled(f, op)
    return KERNELS[op.attrs["kernel"]](f, op)


def sinks(f: Writer, op: Op) -> Any:
    return f.own(op)


def zero_sinks(f: Writer, op: Op) -> Any:
    return expression("q.new_zeros(q.size(1))", q=f.arg(op, "q"))


ROWS: dict[str, Row] = {
    "split_heads": split_heads,
    "merge_heads": merge_heads,
    "cache": cache,
    "expand_heads": expand_heads,
    "mix_vectors": mix_vectors,
    "concat": concat,
    "sinks": sinks,
    "zero_sinks": zero_sinks,
    "score_vector": sinks,
    "head_matrix": sinks,
    "attend": attend,
}
