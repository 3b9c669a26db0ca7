"""Inputs of a stack, up to the first layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...spec.embedding import Features, Input, LearnedInput, Patches, Tokens, ZeroInput
from ...spec.positions import acts_on, in_attention
from ..axes import B, Dim
from ..sizes import Size
from .builder import Builder
from .norm import has_norm, lower_norm
from .patches import lower_patches, lower_registers
from .positions import argument, lower_input_positions
from .prefix import lower_prefix
from .reads import consume, peek, plain
from .scaled import lower_input_scale
from .stack_input import lower_output, place_vectors
from .state import StackState
from .stem import lower_stem


def lower_input(b: Builder, state: StackState, source: Input) -> str:
    """The input of the first layer, (B, T, D)."""
    x = SOURCES[source.type](b, state, source)
    with b.in_scope(state.scope):
        x = lower_prefix(b, state, source, x)
        if isinstance(source, Tokens):
            x = _projected(b, state, source, x, when="before_positions")
        normalize = _normalized(state, source)
        if normalize == "before_positions":
            x = lower_norm(b, source.norm, x, "embedding_norm", out="x")
        x = lower_input_positions(b, state, x)
        if isinstance(source, Patches):
            x = lower_registers(b, state, source, x)
        if normalize is True:
            x = lower_norm(b, source.norm, x, "embedding_norm", out="x")
        x = _dropped(b, source, x)
        if isinstance(source, Tokens):
            x = _projected(b, state, source, x, when="after_positions")
    return b.rename(x, "x")


def lower_part(b: Builder, state: StackState, source: Input) -> str:
    """One of several inputs that are joined, (B, T, D); positions are added to all of them."""
    x = SOURCES[source.type](b, state, source)
    with b.in_scope(state.scope):
        x = lower_prefix(b, state, source, x)
        if has_norm(source, "normalize"):
            x = lower_norm(b, source.norm, x, "embedding_norm", out="x")
        x = _dropped(b, source, x)
        if isinstance(source, Tokens):
            consume(source, "project")
            x = _projected(b, state, source, x, when="")
    return x


def _dropped(b: Builder, source: Input, x: str) -> str:
    if isinstance(source, ZeroInput):
        consume(source, "dropout")  # zeros stay zeros
    elif source.dropout:
        rate = b.field("dropout", source.dropout)
        x = b.op("dropout", x, name="dropout", rate=rate, out="x")
    return x


def _normalized(state: StackState, source: Input) -> Any:
    """Where embeddings are normalised; `before_positions` is unread if nothing follows there."""
    registers = isinstance(source, Patches) and peek(source, "registers")
    if peek(source, "normalize") == "before_positions" and not (
        registers or _has_input_positions(state)
    ):
        return False
    return has_norm(source, "normalize")


def lower_tokens(b: Builder, state: StackState, source: Tokens) -> str:
    """Embedded token ids, scaled, plus added embeddings."""
    x = _lookup(b, state, source)
    with b.in_scope(state.scope):
        x = lower_input_scale(b, source.scale, x, state.width)
        x = place_vectors(b, state, x)
        return _with_added(b, state, source, x)


def _with_added(b: Builder, state: StackState, source: Tokens | Features, x: str) -> str:
    for name, rows in source.add.items():
        x = _added(b, state, name, rows, x)
    return x


def lower_features(b: Builder, state: StackState, source: Features) -> str:
    """Vectors given as an argument, which may be projected, plus added embeddings."""
    width = state.width
    if source.size is not None and source.size != width.size:
        width = Dim("I", b.size("input_size", source.size, at=("size",)))
    projected = width is not state.width if source.project is None else source.project
    with b.in_scope(""):
        x = state.ids = b.op(
            "argument",
            name=source.argument,
            out=source.argument,
            shape=(B, state.own, width),
            dtype="float",
        )
    with b.in_scope(state.scope):
        if projected:
            x = b.op(
                "linear",
                x,
                name="input_projection",
                in_features=width.size,
                out_dim=state.width,
                bias=bool(source.bias),
                out="x",
            )
        return _with_added(b, state, source, x)


def lower_learned(b: Builder, state: StackState, source: LearnedInput) -> str:
    """Learned vectors or zeros, once for each sequence of the first stack that this one reads."""
    key = "queries" if isinstance(source, ZeroInput) else "learned_tokens"
    rows = b.size(key, source.tokens, at=("tokens",))
    memory = next(iter(state.memories.values()))
    state.placed, state.front = rows, Size.of(0)
    b.graph.lengths[state.name] = rows
    with b.in_scope(state.scope):
        if isinstance(source, ZeroInput):
            return b.op("zero_tokens", memory.value, rows=rows, out_dim=state.width, out="x")
        return b.op(
            "learned_tokens",
            memory.value,
            name="learned_tokens",
            rows=rows,
            out_dim=state.width,
            out="x",
        )


SOURCES: dict[str, Callable[[Builder, StackState, Any], str]] = {
    "tokens": lower_tokens,
    "patches": lower_patches,
    "conv": lower_stem,
    "features": lower_features,
    "learned": lower_learned,
    "zeros": lower_learned,
    "stack": lower_output,
}


def _lookup(b: Builder, state: StackState, source: Tokens) -> str:
    """The token embedding. A table shared by several stacks belongs to the model."""
    vocab, width = state.vocab_size, state.table_width
    assert width is not None
    *path, name, _ = state.table.split(".")
    scope = "" if not path else state.scope
    shared = scope == "" and any(
        op.kind == "embedding" and op.name == name for op in b.graph.ops("")
    )
    with b.in_scope(scope):
        return b.op(
            "embedding",
            state.ids,
            name=name,
            rows=vocab,
            out_dim=width,
            tied=state.table if shared else "",
        )


def _added(b: Builder, state: StackState, name: str, rows: int, x: str) -> str:
    table = name.removesuffix("_ids").removesuffix("_id")
    ids = argument(b, state, name, (B, state.own))
    with b.at("add", name):
        # `token_types`; other plurals may collide with fields (`layers`) or Python names
        size = b.size(f"{table}s" if table.endswith("_type") else f"{table}_entries", rows)
        vectors = b.op(
            "embedding",
            ids,
            name=f"{table}_embedding",
            rows=size,
            out_dim=b.width(x),
            absent=state.ids,
        )
        return b.op("add", x, vectors, out="x")


def _projected(b: Builder, state: StackState, source: Tokens, x: str, *, when: str) -> str:
    if source.width is None or b.width(x) == state.width:
        return x
    if when and _is_changed(state, source) and source.project != when:
        return x
    return b.op(
        "linear",
        x,
        name="embedding_projection",
        in_features=b.width(x).size,
        out_dim=state.width,
        bias=bool(state.stack.bias),
        out="x",
    )


def _is_changed(state: StackState, source: Tokens) -> bool:
    """Whether the two places of the projection give different results."""
    return bool(_has_input_positions(state) or _normalized(state, source) or source.dropout)


def _has_input_positions(state: StackState) -> bool:
    """Whether positions are added to the input of the stack."""
    positions = [plain(one) for one in state.stack.positions]
    return any(acts_on(one) == "input" and not in_attention(one) for one in positions)


def ids_of(b: Builder, name: str, length: Dim) -> str:
    """The token ids; stacks with the same argument name read the same tensor."""
    for op in b.graph.ops(""):
        if op.kind == "argument" and op.name == name:
            return op.outputs[0]
    with b.in_scope(""):
        return b.op("argument", name=name, out=name, shape=(B, length), dtype="int")


def table_width(b: Builder, source: Tokens, width: Dim) -> Dim:
    if source.width is None or source.width == width.size:
        return width
    return Dim("W", b.size("embedding_width", source.width, at=("width",)))
