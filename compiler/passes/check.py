"""What a legal graph is. Run after every pass in the tests; a bug found here is ours."""

from __future__ import annotations

import networkx as nx

from ..graph import ModuleGraph, Op
from ..ops import OPS


class IllegalGraphError(AssertionError):
    """A pass made a graph that no backend could read."""


def check(graph: ModuleGraph) -> ModuleGraph:
    """The graph itself, if it is legal; raises IllegalGraphError."""
    if not nx.is_directed_acyclic_graph(graph.nx):
        raise IllegalGraphError("the ops form a cycle")
    made: set[str] = set()
    for op in graph.ops():
        _check_op(graph, op, made)
        made.update(op.outputs)
    for name, value in {**graph.outputs, **graph.hidden}.items():
        if value not in made:
            raise IllegalGraphError(f"the result {name} ({value}) is made by no op")
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
    tied = [weight.tied for weight in op.weights if weight.tied]
    for name in tied:
        if not any(w.name == name for w in graph.weights()):
            raise IllegalGraphError(f"{where}: tied to {name}, which is no weight")


def _check_fields(graph: ModuleGraph) -> None:
    names = [field.name for field in graph.fields]
    for name in names:
        if not name.isidentifier() or names.count(name) > 1:
            raise IllegalGraphError(f"the Config field {name} is no identifier or stands twice")
