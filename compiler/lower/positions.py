"""Positions, added to the input or to the scores.

learned        Vaswani et al. 2017, arXiv:1706.03762 (as compared there); Devlin et al. 2018
sinusoidal     Vaswani et al. 2017, arXiv:1706.03762
temperature    Nakanishi 2025, arXiv:2501.19399
alibi          Press, Smith, Lewis 2021, arXiv:2108.12409
relative_table Bao et al. 2021, arXiv:2106.08254 (BEiT)
relative_bias  Raffel et al. 2019, arXiv:1910.10683 (T5 buckets)
"""

from __future__ import annotations

from typing import Any

from ...spec.model import Block
from ...spec.positions import (
    Alibi,
    Convolution,
    Coordinate,
    Learned,
    RelativeBias,
    RelativeTable,
    Rotary,
    Sinusoidal,
    Temperature,
    in_attention,
)
from ..axes import ONE, B, Dim, M, S, T
from ..sizes import Size
from .builder import Builder
from .prefix import with_learned
from .reads import consume
from .state import Memory, StackState
from .stem import lower_convolution


def argument(
    b: Builder, state: StackState, role: str, shape: tuple[Dim, ...], *, dtype: str = "int"
) -> str:
    """The optional argument of `forward` with this role for the stack; created on first use.

    "" for images, which have no padding and fixed positions. Positions count from the first of
    all tokens, so there are no `position_ids` if some of them are learned, or of one of several
    inputs unless these are interleaved.
    """
    if not state.padded and role in ("attention_mask", "position_ids"):
        return ""
    others = int(state.unmasked) or (state.beside is not None and state.turn == 1)
    if role == "position_ids" and others:
        return ""
    if role == "attention_mask":
        return with_learned(b, state, _argument(b, state, role, shape, dtype))
    return _argument(b, state, role, shape, dtype)


def _argument(b: Builder, state: StackState, role: str, shape: tuple[Dim, ...], dtype: str) -> str:
    if role == "attention_mask" and state.masked is not None:
        return _argument(b, state.masked, role, shape, dtype)
    if state.follows is not None:  # it has the padding and the positions of that stack
        return _argument(b, state.follows, role, shape, dtype)
    if role == "attention_mask" and state.own != T:
        shape = (B, state.own)
    if role not in state.arguments:
        name = state.argument_names.get(role, role)
        for op in b.graph.ops(""):
            if op.kind == "argument" and op.name == name:
                state.arguments[role] = op.outputs[0]
                return op.outputs[0]
        with b.in_scope(""):
            state.arguments[role] = b.op(
                "argument", name=name, out=name, shape=shape, dtype=dtype, optional=True
            )
    return state.arguments[role]


def token_positions(b: Builder, state: StackState, rule: str = "index") -> str:
    """The position of each new token, (T,) or (B, T), by this counting rule."""
    if rule not in state.positions:
        given = argument(b, state, "position_ids", (B, T))
        data = ""
        if rule == "mask":
            data = argument(b, state, "attention_mask", (B, S))
        elif rule == "tokens":
            data = state.ids
        with b.in_scope(state.scope):
            state.positions[rule] = b.op(
                "position_ids",
                given,
                data,
                out="position_ids",
                shape=(B, T),
                rule=rule,
                pad=state.spec.tokens.pad,
                stack=state.name,
                turn=state.turn,
            )
    return state.positions[rule]


def lower_input_positions(b: Builder, state: StackState, x: str) -> str:
    """Add positions that act on the input of a stack to `x`."""
    for index, position in enumerate(state.stack.positions):
        with b.beside("positions", index):
            if isinstance(position, Convolution):
                x = lower_convolution(b, state, position, x)
            elif isinstance(position, ADDED) and not in_attention(position):
                if isinstance(position, Sinusoidal):
                    b.rename(x, "x")
                x = b.op("add", x, _vectors(b, state, position, b.width(x)), out="x")
    return x


ADDED = (Learned, Sinusoidal)
"""Positions that are vectors, which are added to others."""


def lower_attention_positions(b: Builder, state: StackState) -> None:
    """The vectors that are added to queries and keys of a stack (DETR; Carion et al. 2020)."""
    for index, position in enumerate(state.stack.positions):
        if isinstance(position, ADDED) and in_attention(position):
            with b.beside("positions", index):
                vectors = _vectors(b, state, position, state.width)
                total = b.op("add", state.places, vectors) if state.places else vectors
                state.places = b.rename(total, "position_vectors")


def with_positions(b: Builder, state: StackState, x: str) -> str:
    """What queries and keys are projected from: `x`, with positions if they are added here."""
    return b.op("add", x, state.places, out="placed") if state.places else x


def memory_with_positions(b: Builder, state: StackState, memory: Memory) -> str:
    """What keys of a memory are projected from: its vectors, with positions if it has some."""
    other = memory.state
    if other is None or not other.places:
        return memory.value
    if other.name not in state.placed_memories:
        x = memory.value
        with b.in_scope(state.scope), b.as_long_as(M):
            for index, position in enumerate(other.stack.positions):
                if isinstance(position, Sinusoidal) and in_attention(position):
                    with b.at_stack(other.name, "positions", index):
                        table = _sinusoidal(b, other, position, memory.width, M.label)
                        x = b.op("add", x, b.rename(table, "memory_vectors"), out="placed_memory")
        state.placed_memories[other.name] = x
    return state.placed_memories[other.name]


def lower_layer_positions(b: Builder, state: StackState, block: Block, x: str) -> str:
    """Add the sinusoids of positions and of the layer to the input of a layer."""
    for index, position in enumerate(block.positions):
        if isinstance(position, Coordinate):
            with b.beside("positions", index):
                width: Any = b.width(x)
                kind = {"layout": position.layout, "denominator": position.denominator}
                with b.in_scope(state.scope):
                    places = token_positions(b, state)
                    whole: Any = {"shape": (B, T, width), "width": width, **kind}
                    table = b.op("sinusoid", places, out="coordinates", **whole)
                step = b.op("step_sinusoid", shape=(ONE, width), width=width, out="step", **kind)
                x = b.op("add", b.op("add", x, table), step, out="x")
    return x


def _rule(position: Learned | Sinusoidal) -> str:
    return "index" if position.skip_padding in (False, "false") else str(position.skip_padding)


def _shifted(b: Builder, state: StackState, position: Learned | Sinusoidal) -> str:
    positions = token_positions(b, state, _rule(position))
    return b.op("shift", positions, amount=position.offset) if position.offset else positions


def _vectors(b: Builder, state: StackState, position: Learned | Sinusoidal, width: Dim) -> str:
    """The vectors of all positions, (T, D) or (B, T, D)."""
    found = _learned if isinstance(position, Learned) else _sinusoidal
    return found(b, state, position, width)


def _learned(b: Builder, state: StackState, position: Any, width: Dim) -> str:
    if state.placed is not None:
        consume(position)
        rows = Dim("P", state.placed)
        return b.op("table", name="position_embedding", shape=(rows, width))
    rows = b.graph.limits[state.name] + position.offset
    positions = _shifted(b, state, position)
    return b.op("embedding", positions, name="position_embedding", rows=rows, out_dim=width)


def _sinusoidal(b: Builder, state: StackState, position: Any, width: Dim, letter: str = "P") -> str:
    kind = {"layout": position.layout, "denominator": position.denominator}
    if position.axes > 1:
        consume(position, "offset", "skip_padding")  # there are none for patches, by a law
        assert state.placed is not None
        widths = axis_widths(b, position, width.size, "position")
        frame = ("frame",) * (position.axes == 3)
        behind = state.registers if in_attention(position) else Size.of(0)
        return b.op(
            "grid_sinusoid",
            shape=(Dim(letter, state.placed + behind), width),
            width=width,
            grid=state.grid,
            front=(state.front or Size.of(0)) + behind,
            order=(*frame, *position.order),
            widths=widths,
            coordinates=position.coordinates,
            out="places",
            **kind,
        )
    positions = _shifted(b, state, position)
    return b.op("sinusoid", positions, shape=(B, T, width), width=width, **kind)


def axis_widths(
    b: Builder, position: Sinusoidal | Rotary, width: Size | None, key: str
) -> dict[str, Size] | None:
    """The number of features of each axis of a video; None for an image, which halves them."""
    if position.axes != 3:
        return None
    assert width is not None
    names = ("frame", "row", "column")
    if position.widths is None:
        side = (3 * width).floor(8)
        return dict(zip(names, (width.floor(4), side, side), strict=True))
    return {
        name: b.size(f"{key}_{name}_width", one, at=("widths", i))
        for i, (name, one) in enumerate(zip(names, position.widths, strict=True))
    }


def lower_temperatures(b: Builder, state: StackState, block: Block, query: str) -> str:
    """The queries, multiplied by the factors of their positions if the block has any."""
    for index, position in enumerate(block.positions):
        if isinstance(position, Temperature):
            with b.beside("positions", index):
                query = _lower_temperature(b, state, position, query)
    return query


def _lower_temperature(b: Builder, state: StackState, position: Temperature, query: str) -> str:
    positions = token_positions(b, state)
    if position.offset:
        positions = b.op("shift", positions, amount=position.offset)
    sharpness = b.op(
        "sharpness",
        positions,
        out="sharpness",
        shape=(B, ONE, T, ONE),
        length=b.size("temperature_length", position.length, at=("length",)),
        slope=b.field("temperature_slope", float(position.slope), at=("slope",)),
    )
    return b.op("sharpen", query, sharpness, out="q")


def lower_score_bias(
    b: Builder,
    state: StackState,
    block: Block,
    position: Alibi | RelativeBias | RelativeTable,
    heads: Dim,
    scale: object,
) -> str:
    """A bias (H, T, S) of the scores that depends on the distance between query and key."""
    keys = S if state.cached else T
    shape = (heads, T, keys)
    if isinstance(position, Alibi):
        factor = scale if scale != 1 and position.before_scale else None
        return b.op(
            "alibi",
            out="bias",
            shape=shape,
            heads=heads,
            rule=position.slopes,
            scale=factor,
            stack=state.name,
        )
    shared = position.share == "stack"
    key = repr((position, int(heads.size or 0)))
    consume(position, *position.__class__.model_fields)
    if shared and key in state.relative_bias:
        return state.relative_bias[key]
    buckets = _buckets(b, state, position)
    # a table that differs from the first one has the block's name as a prefix
    kind = b.kind_prefix if shared and state.relative_bias else ""
    with b.in_scope(state.scope if shared else b.scope):
        distances = _distances(b, state, position, (T, keys), buckets)
        bias = b.op(
            "relative_bias",
            distances,
            name=f"{kind}{_table_name(block, position)}",
            out="bias",
            shape=shape,
            heads=heads,
            buckets=buckets,
        )
    if shared:
        state.relative_bias[key] = bias
    return bias


def _table_name(block: Block, position: RelativeBias | RelativeTable) -> str:
    """`relative_bias`, or the type of the positions if a block has two tables."""
    together = {
        other.type
        for other in block.positions
        if isinstance(other, (RelativeBias, RelativeTable)) and other.share == position.share
    }
    return position.type if len(together) > 1 else "relative_bias"


def _buckets(b: Builder, state: StackState, position: RelativeBias | RelativeTable) -> Size:
    """Entries of a bias table: one per bucket, per distance, or per offset on the grid.

    Prefix tokens have three more: as query, as key, and as both.
    """
    if isinstance(position, RelativeBias):
        return b.size("buckets", position.buckets)
    if position.axes == 1:
        span: Size = 2 * _longest(b, state) - 1
        return span
    assert state.grid is not None, "refused by the laws"
    rows: Size = (2 * state.grid[0] - 1) ** 2
    if position.axes == 3:
        frames, down, across = state.grid
        rows = (2 * frames - 1) * (2 * down - 1) * (2 * across - 1)
    rows += 3 if state.front else 0
    return rows


def _longest(b: Builder, state: StackState) -> Size:
    """The maximum number of tokens of a sequence."""
    return b.graph.limits[state.name] if state.placed is None else state.placed


def _distances(
    b: Builder,
    state: StackState,
    position: RelativeBias | RelativeTable,
    shape: tuple[Dim, Dim],
    buckets: Size,
) -> str:
    if isinstance(position, RelativeTable) and position.axes == 1:
        places = b.op(
            "relative_places",
            shape=shape,
            rule="each",
            buckets=None,
            max_distance=_longest(b, state),
            stack=state.name,
        )
        return b.op("shift", places, amount=-1, out="offsets")  # the longest distance never occurs
    if isinstance(position, RelativeTable):
        return b.op(
            "grid_offsets",
            out="offsets",
            shape=shape,
            grid=state.grid if position.axes == 3 else state.grid and state.grid[0],
            front=state.front,
            stack=state.name,
        )
    return b.op(
        "relative_buckets",
        out="buckets",
        shape=shape,
        buckets=buckets,
        max_distance=b.size("max_distance", position.max_distance),
        bidirectional=position.bidirectional,
        stack=state.name,
    )
