"""The `Cache` of an emitted file: of the runtime's, the parts that the graph's ops need."""

from __future__ import annotations

from ...compiler.graph import ModuleGraph
from .helpers import method

KEYS, STATES, MEMORY = "kept", "states", "memory"
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


def write_cache(graph: ModuleGraph, *, static: bool) -> str:
    """The text of the class."""
    parts = parts_of(graph)
    owner = "StaticCache" if static else "Cache"
    title = STATIC if static else TITLES[parts]
    made = method("cache", owner, "__init__").splitlines()
    unused = [f"self.{part}:" for part in (KEYS, MEMORY, STATES) if part not in parts]
    constructor = [line for line in made if not line.strip().startswith(tuple(unused))]
    methods = ["begin"] if static else []
    methods += [METHODS[part] for part in parts if part in METHODS]
    texts = ["\n".join(constructor), *(method("cache", owner, name) for name in methods)]
    return "\n\n".join([f'class Cache:\n    """{title}"""', *texts])
