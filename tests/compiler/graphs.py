"""Small specs, their graphs before and after the passes, and comparisons of graphs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelwright.compiler import ModuleGraph
from modelwright.compiler.lower import lower_spec
from modelwright.spec import loads

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.yaml"))

DECODER = """
name: small
family: decoder-only
vocab_size: 31
max_positions: 24
d_model: 16
layers: 2
attention: {heads: 4}
head: language_model
"""
BOTH = DECODER.replace("decoder-only", "encoder-decoder")
TWO_KINDS = (
    'blocks={local: {mask: "causal & window(3)"}, global: {}}',
    "pattern=[local, global]",
)


def lowered(*sets: str, text: str = DECODER) -> ModuleGraph:
    """The graph before any pass."""
    return lower_spec(loads(text, sets=sets))


def kinds(graph: ModuleGraph, kind: str) -> list[str]:
    """The scopes of the ops of a kind."""
    return [op.scope for op in graph.ops() if op.kind == kind]


def snapshot(graph: ModuleGraph) -> dict[str, Any]:
    """All that a graph says, as text that can be compared."""
    return {
        "ops": [repr(op) for op in graph.ops()],
        "edges": sorted(map(repr, graph.nx.edges(keys=True, data=True))),
        "values": {key: repr(value) for key, value in graph.values.items()},
        "scopes": {key: repr(scope) for key, scope in graph.scopes.items()},
        "producers": dict(graph.producers),
        "fields": [(field.name, field.value) for field in graph.fields],
        "results": (dict(graph.outputs), dict(graph.hidden), dict(graph.limits)),
    }
