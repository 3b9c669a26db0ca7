"""The output of one stack as an input of another.

Vectors of an image in the place of tokens with one id: Liu et al. 2023, arXiv:2304.08485 (LLaVA).
"""

from __future__ import annotations

from ...spec.embedding import StackInput
from ...spec.part import Nothing
from ..axes import Dim, M
from ..sizes import Size
from .builder import Builder
from .feed_forward import lower_dense, title_of
from .reads import consume
from .state import StackState


def lower_output(b: Builder, state: StackState, source: StackInput) -> str:
    """The output of another stack as the sequence of this one, (B, T, D)."""
    memory = state.sources[source.stack]
    if memory.length is not None:
        state.placed, state.front = _rest(b, source, memory.length), Size.of(0)
        if source.prefix_tokens:
            state.placed = state.placed + b.size("prefix_tokens", source.prefix_tokens)
        b.graph.lengths[state.name] = state.placed
    x = b.rename(_vectors(b, state, source, state.own, state.own), "x")
    state.ids = x
    return x


def lower_vectors(b: Builder, state: StackState, source: StackInput) -> str:
    """The vectors of another stack, (B, M, D): without the skipped ones, projected."""
    length = state.sources[source.stack].length
    if length is None:
        rest = Dim(f"M-{source.skip}") if source.skip else M
        return _vectors(b, state, source, M, rest)
    return _vectors(b, state, source, Dim("M", length), Dim("M", _rest(b, source, length)))


def _vectors(b: Builder, state: StackState, source: StackInput, length: Dim, rest: Dim) -> str:
    x = state.sources[source.stack].value
    with b.in_scope(state.scope):
        if source.skip:
            x = b.op("skip_tokens", x, count=_skip(b, source), length=rest)
        with b.as_long_as(rest if source.skip else length):
            return _projected(b, state, source, x)


def _skip(b: Builder, source: StackInput) -> Size:
    return b.size(f"{source.stack}_skip", source.skip, at=("skip",))


def _rest(b: Builder, source: StackInput, length: Size) -> Size:
    """The number of vectors that are not skipped."""
    rest: Size = length - _skip(b, source) if source.skip else length
    return rest


def _projected(b: Builder, state: StackState, source: StackInput, x: str) -> str:
    part, name = source.projector, f"{source.stack}_projector"
    if isinstance(part, Nothing):
        return x
    if part.type == "linear":
        with b.at("projector"):
            return b.op(
                "linear",
                x,
                name=name,
                in_features=b.width(x).size,
                out_dim=state.width,
                bias=bool(part.bias),
            )
    title = f"{title_of(part)}, from the {source.stack} stack to this width."
    with b.at("projector"), b.within("projector"), b.module(name, noun="Projector", title=title):
        return lower_dense(b, part, x, out=state.width, key=f"{name}_d_ff")


def place_vectors(b: Builder, state: StackState, x: str) -> str:
    """`x` (B, T, D) with the vectors of other stacks in the place of their token ids."""
    for index, source in enumerate(state.stack.input):
        if not isinstance(source, StackInput) or source.replace is None:
            continue
        with b.beside("input", index):
            consume(source, "optional")
            rows = lower_vectors(b, state, source)
            b.rename(x, "x")
            with b.in_scope(state.scope):
                key = f"{source.stack}_token_id"
                token = b.size(key, source.replace, at=("replace",), least=0)
                x = b.op("place_rows", x, state.ids, rows, token=token, out="x", stack=state.name)
    return x
