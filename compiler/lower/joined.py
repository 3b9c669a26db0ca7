"""Several inputs of one stack, one after the other in its sequence (ViLT; Kim et al. 2021,
arXiv:2102.03334).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add

from ...spec.embedding import Features, Input, Patches, StackInput, Tokens, joined
from ...spec.names import camel_case
from ..axes import Dim
from ..facts import PartFact
from ..sizes import Size
from .builder import Builder
from .embedding import ids_of, lower_part
from .facts import input_fact
from .state import StackState


@dataclass
class Part:
    """One of the inputs of a stack, while the stack is lowered.

    letter  the name of its length
    state   its own state: argument, padding, learned tokens
    length  its number of vectors, if known
    """

    index: int
    source: Input
    letter: str
    state: StackState
    length: Size | None = None
    fact: PartFact = field(init=False)


def lower_joined(b: Builder, state: StackState, states: Mapping[str, StackState]) -> str:
    """The vectors of all inputs, (B, T, D), each from a module of its own."""
    parts, places = [], joined(state.stack.input)
    if state.stack.join == "interleave":
        state.turn = len(places)
    for number, index in enumerate(places, start=1):
        source = state.stack.input[index]
        letter = "T1" if state.turn > 1 else f"T{number}"
        parts.append(Part(index, source, letter, _state(state, source, letter, states)))
    values = [_lowered(b, state, part) for part in parts]
    b.graph.parts[state.name] = tuple(part.fact for part in parts)
    lengths = [part.length for part in parts]
    state.placed = _sum(lengths)
    if state.placed is not None:
        b.graph.lengths[state.name] = state.placed
    _of_padding(state, parts)
    _of_image(state, parts)
    with b.in_scope(state.scope), b.at("join" if state.turn > 1 else "input"):
        kind = "interleave_inputs" if state.turn > 1 else "join_inputs"
        state.joined = b.op(kind, *values, out="x")
    return state.joined


def _state(
    state: StackState, source: Input, letter: str, states: Mapping[str, StackState]
) -> StackState:
    """What is known of one input."""
    follows = states[source.stack] if isinstance(source, StackInput) else None
    padded = isinstance(source, (Tokens, Features)) or (follows is not None and follows.padded)
    return replace(
        state,
        own=Dim(letter).less(source.prefix_tokens),
        follows=follows,
        padded=padded,
        scope=".".join(filter(None, [state.scope, module_of(source)])),
        arguments={},
        masks={},
        positions={},
    )


def module_of(source: Input) -> str:
    """The module of an input: `pixel_values_embedding`."""
    return f"{getattr(source, 'argument', '') or getattr(source, 'stack', '')}_embedding"


def _lowered(b: Builder, state: StackState, part: Part) -> str:
    """The vectors of one input."""
    name, source = module_of(part.source), part.source
    argument, letter = getattr(source, "argument", ""), part.letter
    what = f"`{argument}`" if argument else f"the {getattr(source, 'stack', '')} stack"
    with (
        b.in_scope(state.scope),
        b.at("input", part.index),
        b.module(name, noun=camel_case(name), title=f"The vectors of {what}, (B, {letter}, D)."),
        b.as_long_as(Dim(part.letter)),
        b.within(argument or getattr(source, "stack", "")),
    ):
        if isinstance(source, Tokens):
            part.state.ids = ids_of(b, source.argument, part.state.own)
        x = b.rename(lower_part(b, part.state, source), "")
    part.length = b.graph.lengths.pop(state.name, None)
    if source.optional:
        b.may_be_absent(x, part.state.ids, *_looked_up(b, part.state.ids))
    part.fact = PartFact(part.letter, input_fact(source), part.length, bool(source.optional))
    part.length = None if source.optional else part.length
    return x


def _looked_up(b: Builder, ids: str) -> list[str]:
    """The embedded ids of a table that belongs to the model."""
    return [
        op.outputs[0] for op in b.graph.consumers(ids) if op.kind == "embedding" and not op.scope
    ]


def _of_padding(state: StackState, parts: list[Part]) -> None:
    """Whose padding `attention_mask` marks: that of one input, or of the whole sequence."""
    padded = [part for part in parts if part.state.padded]
    state.padded, state.beside = bool(padded), (None, None)
    if len(padded) != 1:
        return
    place = parts.index(padded[0])
    learned = Size.of(padded[0].source.prefix_tokens)
    before = _sum([learned, *(part.length for part in parts[:place])])
    after = _sum([part.length for part in parts[place + 1 :]])
    if before is not None or after is not None:  # the other one is the rest
        state.masked = padded[0].state
        state.beside = (None, after) if after is not None else (before, None)


def _of_image(state: StackState, parts: list[Part]) -> None:
    """The image among the inputs, for a head of type `patches`: the vectors around its patches."""
    for place, part in enumerate(parts):
        if isinstance(part.source, Patches):
            learned = (part.state.front or Size.of(0)) + part.state.registers
            before = _sum([*(one.length for one in parts[:place]), learned])
            state.image, state.patches = part.state.image, part.state.patches
            state.around = before, _sum([one.length for one in parts[place + 1 :]])
            return


def _sum(sizes: list[Size | None]) -> Size | None:
    """The sum, if all are known."""
    known = [size for size in sizes if size is not None and int(size)]
    if None in sizes:
        return None
    return reduce(add, known) if known else Size.of(0)
