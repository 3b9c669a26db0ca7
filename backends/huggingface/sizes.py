"""Sizes of an emitted model by Hugging Face's names, and its embedding modules."""

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
LABELS = "num_labels"  # Hugging Face derives it from id2label


@dataclass(frozen=True)
class Standard:
    """A size by Hugging Face's name. `field` is that of the emitted `Config`, or ""."""

    name: str
    value: Any
    field: str


def standard_sizes(emitted: EmittedFile) -> list[Standard]:
    """The sizes that the model has; with several stacks, those of the last one, which generates."""
    stack = list(emitted.graph.stack_facts)[-1]
    found = []
    for name, key in NAMES.items():
        field = next((f for f in (key, f"{stack}_{key}") if f in emitted.sizes), "")
        value = emitted.sizes.get(field, _plain(emitted.graph, stack, key))
        if value is not None:
            found.append(Standard(name, value, field))
    return found


def _plain(graph: ModuleGraph, stack: str, key: str) -> Any:
    """The value of the spec, if the emitted `Config` has no field for it."""
    part = graph.stack_facts[stack]
    if key == "heads":
        return part.heads or 1
    return getattr(part, key) if key in ("d_model", "layers", "vocab_size") else None


def token_table(graph: ModuleGraph) -> str:
    """The token embedding; with several, that of the first stack.

    "" if the model does not read tokens.
    """
    return next(iter(_tables(graph)), "")


def _tables(graph: ModuleGraph) -> list[str]:
    return [
        graph.weight_name(op, op.weights[0]).removesuffix(".weight")
        for op in graph.ops()
        if op.kind == "embedding" and op.name == "token_embedding" and not op.weights[0].tied
    ]


def output_table(graph: ModuleGraph) -> str:
    """The output projection to the vocabulary; "" if there is none or it is tied."""
    names = {weight.name for weight in graph.weights()}
    heads = [name for name, head in graph.heads.items() if head.kind == "language_model"]
    if len(heads) != 1:
        return ""
    candidates = (heads[0], f"{heads[0]}.output")
    return next((name for name in candidates if f"{name}.weight" in names), "")


def resizable(emitted: EmittedFile) -> bool:
    """Whether Hugging Face can resize the vocabulary: one embedding and one head."""
    graph = emitted.graph
    known = {f"{table}.weight" for table in _tables(graph)[:1]}
    output = output_table(graph)
    known |= {f"{output}.weight", f"{output}.bias"} if output else set()
    entries = [weight for weight in graph.weights() if _vocabulary(weight)]
    names = {name for weight in entries for name in _vocabulary(weight)}
    return {weight.name for weight in entries} <= known and names == {"vocab_size"}


def _vocabulary(weight: LogicalWeight) -> set[str]:
    """The vocabulary fields in a weight's shape."""
    return {
        field.name
        for size in weight.weight.shape
        for field in size.fields()
        if field.key == "vocab_size"
    }


def labels_field(emitted: EmittedFile) -> str:
    """The `Config` field of the number of classes of the only head, or ""."""
    one = [head.kind for head in emitted.graph.heads.values()] == ["classifier"]
    return "classes" if one and "classes" in emitted.sizes else ""
