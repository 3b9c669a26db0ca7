"""Lookup tables of a graph: ops by scope, scopes by parent, readers of values."""

from __future__ import annotations

from collections import defaultdict

from .graph import ModuleGraph, Op, Scope


class Index:
    """A snapshot of a graph's ops by scope and its scopes by parent."""

    def __init__(self, graph: ModuleGraph) -> None:
        self.ops: dict[str, list[Op]] = defaultdict(list)  # directly in a scope
        self.subtree: dict[str, list[Op]] = defaultdict(list)  # in a scope and its descendants
        self.children: dict[str, list[Scope]] = defaultdict(list)
        self.consumers: dict[str, list[Op]] = defaultdict(list)
        for scope in graph.scopes.values():
            if scope.parent is not None:
                self.children[scope.parent].append(scope)
        for op in graph.ops():
            self.ops[op.scope].append(op)
            for value in dict.fromkeys(op.inputs):
                self.consumers[value].append(op)
            path: str | None = op.scope
            while path is not None:
                self.subtree[path].append(op)
                path = graph.scopes[path].parent
