"""Biases of scores that are computed from data.

table, path   Ying et al. 2021, arXiv:2106.05234 (Graphormer)
linear        Jumper et al. 2021, supplementary information, algorithms 7, 13 and 14
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....spec.attention.score_bias import PathBias, StreamBias, TableBias
from ...axes import B, Dim, Shape, T
from ...sizes import Size
from ..builder import Builder
from ..norm import lower_norm
from ..reads import consume
from ..state import StackState


def lower_biases(b: Builder, state: StackState, part: Any, heads: Dim) -> list[str]:
    """A value (B, H, T, T) for each entry of `score_bias`."""
    found = []
    for index, bias in enumerate(getattr(part, "score_bias", ())):
        with b.at("score_bias", index), b.within(bias.type):
            linear = isinstance(bias, StreamBias)
            found.append((_of_stream if linear else _shared)(b, state, bias, heads))
    return found


def _shared(b: Builder, state: StackState, bias: TableBias | PathBias, heads: Dim) -> str:
    """A bias of a layer, or one for all layers of the stack."""
    consume(bias, *bias.__class__.model_fields)
    if bias.share == "layer":
        return BY_TYPE[bias.type](b, state, bias, heads)
    key = repr((bias, int(heads.size or 0)))
    if key not in state.relative_bias:
        with b.in_scope(state.scope):
            state.relative_bias[key] = BY_TYPE[bias.type](b, state, bias, heads)
    return state.relative_bias[key]


def _of_stream(b: Builder, state: StackState, bias: Any, heads: Dim) -> str:
    """A linear layer of a stream of pairs, (B, 1, H, R, R); the same along the other axis."""
    streams = state.streams
    assert streams is not None, "refused by the laws"
    pairs = streams.read
    if bias.stream != streams.current:
        pairs = lower_norm(b, bias.norm, streams.values[bias.stream], "pair_norm")
    y = b.op(
        "linear",
        pairs,
        name="pair_bias",
        in_features=b.width(pairs).size,
        out_dim=heads,
        bias=False,
    )
    return b.op("pair_scores", y, transposed=bias.transpose, out="bias")


def _pairs(b: Builder, state: StackState, name: str, *more: Dim) -> tuple[str, Size]:
    """The integers (B, T, T, …) of all pairs, and the number of tokens in front of theirs."""
    front = (state.front or Size.of(0)) + state.registers
    length = T
    if int(front) and state.placed is not None:
        length = Dim("G", state.placed - (state.front or Size.of(0)))
    shape: Shape = (B, length, length, *more)
    for op in b.graph.ops(""):
        if op.kind == "argument" and op.name == name:
            return op.outputs[0], front
    with b.in_scope(""):
        return b.op("argument", name=name, out=name, shape=shape, dtype="int"), front


def _table(b: Builder, state: StackState, bias: TableBias, heads: Dim) -> str:
    ids, front = _pairs(b, state, bias.argument)
    entries = b.size(f"{bias.argument}_entries", bias.entries, at=("entries",))
    name = f"{bias.argument}_bias"
    return b.op("pair_bias", ids, name=name, out=name, entries=entries, heads=heads, front=front)


def _path(b: Builder, state: StackState, bias: PathBias, heads: Dim) -> str:
    longest = b.size("max_distance", bias.max_distance)
    edges, front = _pairs(b, state, bias.argument, Dim("Pe", longest))
    width = Dim("We", heads.size)
    if bias.width is not None and bias.width != heads.size:
        width = Dim("We", b.size(f"{bias.argument}_width", bias.width, at=("width",)))
    kinds = b.size(f"{bias.argument}_entries", bias.entries, at=("entries",))
    vectors = b.op(
        "embedding", edges, name=f"{bias.argument}_embedding", rows=kinds + 1, out_dim=width
    )
    return b.op(
        "path_bias",
        vectors,
        edges,
        name=f"{bias.argument}_places",
        out=f"{bias.argument}_bias",
        edges=longest,
        width=width,
        heads=heads,
        front=front,
    )


BY_TYPE: dict[str, Callable[[Builder, StackState, Any, Dim], str]] = {
    "table": _table,
    "path": _path,
}
