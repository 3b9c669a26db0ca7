"""The `Cache` of an emitted file: the parts of the runtime's cache that the ops need."""

from __future__ import annotations

from dataclasses import replace

from ...compiler.graph import ModuleGraph
from .code.nodes import Class, Dot, Function, Set
from .helpers import trees
from .writer import SELF

KEYS, STATES, MEMORY = "kv", "states", "memory"
TITLES = {
    (KEYS,): "Key-value cache of a decoder, by layer.",
    (KEYS, MEMORY): "Key-value cache of self- and cross-attention, by layer.",
    (STATES,): "{State}, by layer; of constant size.",
    (KEYS, STATES): "Keys and values, or {state}, by layer.",
    (KEYS, MEMORY, STATES): "Keys and values, or {state}, and keys and values of the memory, by "
    "layer.",
    (MEMORY, STATES): "{State}, of constant size, and keys and values of the memory, by layer.",
}
STATES_ARE = {
    ("attend_linearly",): "sums over previous tokens",
    ("recur",): "states of recurrences",
    ("attend_linearly", "recur"): "sums over previous tokens and states",
}
"""Kinds of ops that keep states, and what these are."""
NOTES = {
    (KEYS,): " Not part of the state dict.",
    (KEYS, MEMORY): " Not in the state dict.",
    (STATES,): " Not part of the state dict.",
    (KEYS, STATES): " Not in the state dict.",
}
"""The second sentence, where the first one leaves room."""
STATIC = "Key-value cache, by layer, allocated for all tokens up front. Not in the state dict."
SLIDING = " A layer with a window keeps its last tokens."
SUMS = ("attend_linearly", "recur")
CLASSES = {
    (False, False): ("Cache",),
    (False, True): ("Cache", "SlidingCache"),
    (True, False): ("Cache", "StaticCache"),
    (True, True): ("Cache", "StaticCache", "RingCache"),
}
"""Static or not, with windows or not -> classes of the runtime; methods replace earlier ones."""
METHODS = {KEYS: ("append",), STATES: ("state", "set_state")}


def parts_of(graph: ModuleGraph) -> tuple[str, ...]:
    """What a cache of this graph stores."""
    kinds = {op.kind for op in graph.keepers()}
    crossing = any(scope.role == "method" for scope in graph.scopes.values())
    parts = (
        (KEYS, "cache" in kinds),
        (MEMORY, crossing),
        (STATES, not kinds.isdisjoint(SUMS)),
    )
    return tuple(part for part, needed in parts if needed)


def cache_class(graph: ModuleGraph, *, static: bool) -> Class:
    """The cache class, with the methods that the graph needs."""
    parts = parts_of(graph)
    slides = any(op.attrs.get("kept") is not None for op in graph.keepers())
    bases = CLASSES[static, slides]
    methods = {key: method for name in bases for key, method in _methods(name).items()}
    unused = {Dot(SELF, part) for part in (KEYS, MEMORY, STATES) if part not in parts}
    made = methods["__init__"]
    kept = [s for s in made.body if not (isinstance(s, Set) and s.target in unused)]
    names: list[str] = [name for name in ("begin", "recent") if name in methods]
    names += [name for part in parts for name in METHODS.get(part, ())]
    body = (replace(made, body=tuple(kept)), *(methods[name] for name in names))
    keepers = frozenset(op.number for op in graph.keepers())
    kinds = {op.kind for op in graph.keepers()}
    state = STATES_ARE.get(tuple(kind for kind in SUMS if kind in kinds), "")
    whole = TITLES[parts].format(state=state, State=state.capitalize())
    title = STATIC if static else whole + ("" if slides else NOTES.get(parts, ""))
    title += SLIDING if slides else ""
    return Class("Cache", (), body, title, origins=keepers)


def _methods(name: str) -> dict[str, Function]:
    """The methods of a cache of the runtime."""
    whole = trees("cache" if name in ("Cache", "StaticCache") else "sliding_cache")[name]
    assert isinstance(whole, Class)
    return {part.name: part for part in whole.body if isinstance(part, Function)}
