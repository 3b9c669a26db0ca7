"""Check that a graph is legal. Tests run this after every pass."""

from __future__ import annotations

import re
from graphlib import CycleError

from ..axes import show
from ..graph import ModuleGraph, Op
from ..operands import Operands
from ..ops import OPS
from ..ops.row import Inputs


class IllegalGraphError(AssertionError):
    """A graph is not legal, which is a bug of a pass."""


def check(graph: ModuleGraph) -> ModuleGraph:
    """Return the graph if it is legal, else raise IllegalGraphError."""
    try:
        ops = graph.ops()
    except CycleError as error:
        raise IllegalGraphError("the ops form a cycle") from error
    made: set[str] = set()
    for op in ops:
        _check_op(graph, op, made)
        made.update(op.outputs)
    for name, value in {**graph.outputs, **graph.hidden}.items():
        if value not in made:
            raise IllegalGraphError(f"no op computes the result {name} ({value})")
    names = [weight.name for weight in graph.weights()]
    twice = (
        {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else ()
    )
    if twice:
        raise IllegalGraphError(f"two weights are called {sorted(twice)[0]}")
    _check_fields(graph)
    return graph


def _check_op(graph: ModuleGraph, op: Op, made: set[str]) -> None:
    where = f"op {op.number} ({op.kind} in {op.scope or 'model'})"
    if op.kind not in OPS:
        raise IllegalGraphError(f"{where}: no such kind of op")
    if op.scope not in graph.scopes:
        raise IllegalGraphError(f"{where}: no such scope")
    for value in op.inputs:
        if value and value not in made:
            raise IllegalGraphError(f"{where}: reads {value} before it is made")
    for value in op.outputs:
        if value in made:
            raise IllegalGraphError(f"{where}: makes {value} a second time")
        if graph.producers.get(value) != op.number:
            raise IllegalGraphError(f"{where}: is not known as the producer of {value}")
    _check_row(op, where)
    _check_sight(graph, op, where)
    _check_shapes(graph, op, where)
    tied = [weight.tied for weight in op.weights if weight.tied]
    for name in tied:
        if not _is_weight(graph, name):
            raise IllegalGraphError(f"{where}: tied to {name}, which is not a weight")


def _check_row(op: Op, where: str) -> None:
    """Check inputs and attributes against the op's row; only optional ones may be absent."""
    row = OPS[op.kind]
    try:
        fits = (
            Operands(row.filled(op.inputs)) == op.inputs and row.named(len(op.inputs)) == op.slots
        )
    except ValueError as error:
        raise IllegalGraphError(f"{where}: {error}") from None
    if not fits:
        raise IllegalGraphError(f"{where}: its inputs are not those of ({', '.join(row.slots)})")
    known = {name.rstrip("?") for name in row.attrs}
    if unknown := sorted(op.attrs.keys() - known):
        raise IllegalGraphError(f"{where}: has no attribute {unknown[0]}")
    needed = {name for name in row.attrs if not name.endswith("?")}
    if missing := sorted(needed - op.attrs.keys()):
        raise IllegalGraphError(f"{where}: its attribute {missing[0]} is missing")


LENGTH = re.compile(r"\b(?:M|G|T\d+|T-\d+)\b")


def _is_weight(graph: ModuleGraph, name: str) -> bool:
    """Whether this is the logical name of a weight, possibly with `{layer}`."""
    if "{layer}" not in name:
        return any(weight.name == name for weight in graph.weights())
    return any(
        graph.weight_name(op, weight) == name
        for op in graph.ops()
        for weight in op.weights
        if not weight.tied
    )


def _check_sight(graph: ModuleGraph, op: Op, where: str) -> None:
    """Check that only the last layer's output is used outside of the layers."""
    for value in filter(None, op.inputs):
        layers = graph.layers_of(graph.scope_of(value))
        if layers is None or value in layers.results or graph.inside(op.scope, layers.path):
            continue
        raise IllegalGraphError(f"{where}: reads {value} from inside {layers.path}")


def _check_shapes(graph: ModuleGraph, op: Op, where: str) -> None:
    """Check the shape of each result by the op's row, which says T for the lengths of memories (M),
    of joined inputs (T1, T2 …), and of images (G) and other stacks (T-1) before learned tokens too.
    """
    given = Inputs.of(op.slots, op.inputs, graph.values)
    shapes = OPS[op.kind].shape(given, op.attrs)
    for value, shape in zip(op.outputs, shapes, strict=True):
        found = graph.values[value]
        if LENGTH.sub("T", show(found.shape)) != LENGTH.sub("T", show(shape)):
            raise IllegalGraphError(f"{where}: makes {found}, not {show(shape)}")


def _check_fields(graph: ModuleGraph) -> None:
    names = [field.name for field in graph.fields]
    for name in names:
        if not name.isidentifier() or names.count(name) > 1:
            raise IllegalGraphError(f"the Config field {name} is not an identifier or occurs twice")
