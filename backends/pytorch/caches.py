"""The `Cache` of an emitted file: of the runtime's, the parts that the graph's ops need."""

from __future__ import annotations

from dataclasses import replace

from ...compiler.graph import ModuleGraph
from .code.nodes import Class, Dot, Function, Set
from .helpers import trees
from .writer import SELF

KEYS, STATES, MEMORY = "kv", "states", "memory"
TITLES = {
    (KEYS,): "Keys and values of the tokens seen so far, by layer. Not part of the weights.",
    (KEYS, MEMORY): "Keys and values of the tokens seen so far and of the memory, by layer. No "
    "weights.",
    (STATES,): "Sums over the tokens seen so far, by layer, which do not grow. Not part of the "
    "weights.",
    (KEYS, STATES): "Keys and values of the tokens seen so far, or sums over them, by layer. No "
    "weights.",
    (KEYS, MEMORY, STATES): "Keys and values of the tokens seen so far, or sums over them, and of "
    "the memory, by layer.",
    (MEMORY, STATES): "Sums over the tokens seen so far, which do not grow, and the memory, by "
    "layer.",
}
STATIC = "Keys and values by layer, with room for all tokens from the first step on. No weights."
METHODS = {KEYS: "append", STATES: "state"}


def parts_of(graph: ModuleGraph) -> tuple[str, ...]:
    """What a cache of this graph holds."""
    kinds = {op.kind for op in graph.keepers()}
    crossing = any(scope.role == "method" for scope in graph.scopes.values())
    parts = (
        (KEYS, "cache" in kinds),
        (MEMORY, crossing),
        (STATES, "attend_linearly" in kinds),
    )
    return tuple(part for part, needed in parts if needed)


def cache_class(graph: ModuleGraph, *, static: bool) -> Class:
    """The class, with the methods for what it holds."""
    parts = parts_of(graph)
    whole = trees("cache")["StaticCache" if static else "Cache"]
    assert isinstance(whole, Class)
    methods = {part.name: part for part in whole.body if isinstance(part, Function)}
    unused = {Dot(SELF, part) for part in (KEYS, MEMORY, STATES) if part not in parts}
    made = methods["__init__"]
    kept = [s for s in made.body if not (isinstance(s, Set) and s.target in unused)]
    names = [*(["begin"] if static else []), *(METHODS[p] for p in parts if p in METHODS)]
    body = (replace(made, body=tuple(kept)), *(methods[name] for name in names))
    keepers = frozenset(op.number for op in graph.keepers())
    return Class("Cache", (), body, STATIC if static else TITLES[parts], origins=keepers)
