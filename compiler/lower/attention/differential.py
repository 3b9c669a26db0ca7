"""Differential attention: Ye et al. 2024, arXiv:2410.05258."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ....spec.attention import Differential
from ....spec.model import Block
from ....spec.positions import Rotary
from ...axes import Dim, M
from ..builder import Builder
from ..norm import lower_norm
from ..positions import lower_temperatures
from ..rotary import lower_rotary
from ..state import Memory, StackState
from .scores import attention_inputs, lower_output
from .titles import titles

TITLE = """\
Differential attention{} (Ye et al. 2024, arXiv:2410.05258).

Each head subtracts two attention maps with separate queries and keys and the same values."""

VECTORS = ("lambda_query1", "lambda_key1", "lambda_query2", "lambda_key2")


@dataclass(frozen=True, eq=False)
class Sizes:
    heads: Dim
    kv_heads: Dim
    head: Dim

    @property
    def value(self) -> Dim:
        assert self.head.size is not None
        return Dim("Ev", 2 * self.head.size)


def lower_differential(
    b: Builder, state: StackState, block: Block, part: Differential, x: str, memory: Memory | None
) -> str:
    """The output of the branch, (B, T, D)."""
    sizes = _sizes(b, part, state.width)
    cross = memory is not None
    noun = "DifferentialCrossAttention" if cross else "DifferentialAttention"
    with b.module(state.branch, noun=noun, **titles(TITLE.format, cross=cross)):
        query = _project(b, part, "query", x, sizes.heads.times(2), sizes.head)
        if memory is not None:
            method = b.module(
                "keys_and_values", role="method", title="Keys and values of the memory."
            )
            with method, b.as_long_as(M):
                key, value = _keys_and_values(b, part, sizes, memory.value)
        else:
            key, value = _keys_and_values(b, part, sizes, x)
            query, key = _placed(b, state, block, sizes, query, key)
            if state.cached:
                key, value = b.ops("cache", key, value, out=("k", "v"))
        y = _subtracted(b, state, block, part, sizes, (query, key, value), memory)
        y = lower_norm(b, part.head_norm, y, "head_norm", key="head_norm", out="y")
        y = b.op("remaining_share", y, out="y")
        return lower_output(b, state, b.op("merge_heads", y), bias=bool(part.bias))


def _sizes(b: Builder, part: Differential, width: Dim) -> Sizes:
    heads = Dim("H", b.size("heads", part.heads))
    kv_heads = heads
    if part.kv_heads is not None and part.kv_heads != part.heads:
        kv_heads = Dim("K", b.size("kv_heads", part.kv_heads))
    assert width.size is not None
    assert heads.size is not None
    own = part.head_dim
    head = width.size // (2 * heads.size) if own is None else b.size("head_dim", own)
    return Sizes(heads, kv_heads, Dim("E", head))


def _project(b: Builder, part: Differential, name: str, x: str, heads: Dim, width: Dim) -> str:
    y = b.op(
        "linear",
        x,
        name=name,
        in_features=b.width(x).size,
        out_dim=heads * width,
        bias=bool(part.bias),
    )
    return b.op("split_heads", y, heads=heads, width=width, out=name[0])


def _keys_and_values(b: Builder, part: Differential, sizes: Sizes, x: str) -> tuple[str, str]:
    """Keys (B, 2*K, S, E) and values (B, K, S, Ev)."""
    key = _project(b, part, "key", x, sizes.kv_heads.times(2), sizes.head)
    return key, _project(b, part, "value", x, sizes.kv_heads, sizes.value)


def _placed(
    b: Builder, state: StackState, block: Block, sizes: Sizes, query: str, key: str
) -> tuple[str, str]:
    """Queries and keys with rotary and temperature positions."""
    for index, position in enumerate(block.positions):
        with b.beside("positions", index):
            if isinstance(position, Rotary):
                cos, sin, width = lower_rotary(b, state, position, sizes.head)
                turn: dict[str, Any] = {"layout": position.layout, "width": width}
                turn["partial"] = int(width) != int(sizes.head.size or 0)
                query = b.op("rotate", query, cos, sin, out="q", **turn)
                key = b.op("rotate", key, cos, sin, out="k", **turn)
    return lower_temperatures(b, state, block, query), key


def _subtracted(
    b: Builder,
    state: StackState,
    block: Block,
    part: Differential,
    sizes: Sizes,
    given: tuple[str, str, str],
    memory: Memory | None,
) -> str:
    """The first attention minus λ times the second, (B, H, T, Ev)."""
    query, key, value = given
    queries = b.ops("half_heads", query, heads=sizes.heads, out=("q1", "q2"))
    keys = b.ops("half_heads", key, heads=sizes.kv_heads, out=("k1", "k2"))
    compared = queries[0], keys[0]
    _, inputs = attention_inputs(b, state, block, part, compared, memory, kv_heads=sizes.kv_heads)
    b.rename(queries[0], "q1")
    first = inputs.attend(b, queries[0], keys[0], value, out="y1")
    second = inputs.attend(b, queries[1], keys[1], value, out="y2")
    vectors = [b.op("learned_vector", name=name, dim=sizes.head, std=0.1) for name in VECTORS]
    share = b.op("difference_share", *vectors, out="share", shape=())
    return b.op("subtract", first, second, share, out="y")
