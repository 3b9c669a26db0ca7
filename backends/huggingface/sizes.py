"""The sizes of an emitted model by the names that Hugging Face tools ask for, and its tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...compiler.graph import LogicalWeight, ModuleGraph
from .emitted import EmittedFile

NAMES = {  # Hugging Face's name -> the spec's key
    "vocab_size": "vocab_size",
    "hidden_size": "d_model",
    "num_hidden_layers": "layers",
    "num_attention_heads": "heads",
    "num_key_value_heads": "kv_heads",
    "head_dim": "head_dim",
    "max_position_embeddings": "max_positions",
    "initializer_range": "init_std",
}
LABELS = "num_labels"  # Hugging Face counts them in id2label


@dataclass(frozen=True)
class Standard:
    """A size by Hugging Face's name. `field` is the emitted `Config`'s, "" where it has none."""

    name: str
    value: Any
    field: str


def standard_sizes(emitted: EmittedFile) -> list[Standard]:
    """Those that the model has; of several stacks, the last one's, which generates."""
    stack = list(emitted.graph.stack_facts)[-1]
    found = []
    for name, key in NAMES.items():
        field = next((f for f in (key, f"{stack}_{key}") if f in emitted.sizes), "")
        value = emitted.sizes.get(field, _plain(emitted.graph, stack, key))
        if value is not None:
            found.append(Standard(name, value, field))
    return found


def _plain(graph: ModuleGraph, stack: str, key: str) -> Any:
    """The number of the spec, where the emitted file has no field of its own for it."""
    part = graph.stack_facts[stack]
    if key == "heads":
        return part.heads or 1
    return getattr(part, key) if key in ("d_model", "layers", "vocab_size") else None


def token_table(graph: ModuleGraph) -> str:
    """The module that holds the vectors of the tokens; of several, the first stack's.

    "" for a model that reads no tokens.
    """
    return next(iter(_tables(graph)), "")


def _tables(graph: ModuleGraph) -> list[str]:
    return [
        graph.weight_name(op, op.weights[0]).removesuffix(".weight")
        for op in graph.ops()
        if op.kind == "embedding" and op.name == "token_embedding" and not op.weights[0].tied
    ]


def output_table(graph: ModuleGraph) -> str:
    """The linear module that scores the vocabulary; "" where there is none of its own."""
    names = {weight.name for weight in graph.weights()}
    heads = [name for name, head in graph.heads.items() if head.kind == "language_model"]
    if len(heads) != 1:
        return ""
    candidates = (heads[0], f"{heads[0]}.output")
    return next((name for name in candidates if f"{name}.weight" in names), "")


def resizable(emitted: EmittedFile) -> bool:
    """Can Hugging Face change the size of the vocabulary? It knows one table, and one head."""
    graph = emitted.graph
    known = {f"{table}.weight" for table in _tables(graph)[:1]}
    output = output_table(graph)
    known |= {f"{output}.weight", f"{output}.bias"} if output else set()
    entries = [weight for weight in graph.weights() if _vocabulary(weight)]
    names = {name for weight in entries for name in _vocabulary(weight)}
    return {weight.name for weight in entries} <= known and names == {"vocab_size"}


def _vocabulary(weight: LogicalWeight) -> set[str]:
    """The fields of the vocabulary that a weight's shape speaks of."""
    return {
        field.name
        for size in weight.weight.shape
        for field in size.fields()
        if field.key == "vocab_size"
    }


def labels_field(emitted: EmittedFile) -> str:
    """The `Config` field that counts the classes of the one head, or ""."""
    one = [head.kind for head in emitted.graph.heads.values()] == ["classifier"]
    return "classes" if one and "classes" in emitted.sizes else ""
