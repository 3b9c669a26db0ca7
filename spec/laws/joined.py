"""Laws of several inputs that are joined to one sequence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..embedding import Features, LearnedInput, Patches, StackInput, Tokens, joined
from ..model import ModelSpec, Stack
from ..positions import Convolution
from .findings import Finding, Path, members
from .score_bias import given_biases


def _joined(stack: Stack) -> list[tuple[int, Any]]:
    """The joined inputs with their places in the list; none if there is only one input."""
    sources = () if stack.streams else members(stack.input)
    places = joined(sources)
    return [(i, sources[i]) for i in places] if len(places) > 1 else []


def inputs_can_be_joined(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    """Which inputs and options can be joined with others."""
    words = 0
    for i, source in _joined(stack):
        place: Path = (*path, "input", i)
        words += isinstance(source, Tokens)
        if isinstance(source, Tokens) and words > 1:
            yield Finding(
                place,
                "a stack has one input of type `tokens`; read the other ids in a stack of their "
                "own, and join it with `type: stack`",
            )
        if isinstance(source, LearnedInput):
            yield Finding(
                place,
                "`learned` vectors cannot be joined with other inputs; write `prefix_tokens` in "
                "one of those",
            )
        if isinstance(source, Patches) and source.registers:
            yield Finding(
                (*place, "registers"),
                "registers have no positions, but positions are added to all vectors of joined "
                "inputs; write `prefix_tokens`",
            )
        if source.normalize is True:
            yield Finding(
                (*place, "normalize"),
                "positions are added to the joined sequence, so the norm of an input comes before "
                "them; write `normalize: before_positions`",
            )
    for i, source in enumerate(members(stack.input) if _joined(stack) else ()):
        if isinstance(source, StackInput) and source.replace is not None:
            yield Finding(
                (*path, "input", i, "replace"),
                "a stack joins inputs or replaces tokens, not both: placeholders are counted in a "
                "sequence of ids; replace them in a stack of their own with `layers: 0`, and join "
                "its output with `type: stack`",
            )


def optional_beside_others(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    """An input that may be absent is one of several."""
    places = {i for i, _ in _joined(stack)}
    for i, source in enumerate(() if stack.streams else members(stack.input)):
        replaces = isinstance(source, StackInput) and source.replace is not None
        if source.optional and i not in places and not replaces:
            yield Finding(
                (*path, "input", i, "optional"),
                "the only input of a stack cannot be absent; add another one, or remove `optional`",
            )


def positions_of_all(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    """Positions of joined inputs count all of their vectors."""
    for i, position in enumerate(members(stack.positions) if _joined(stack) else ()):
        if isinstance(position, Convolution) or getattr(position, "axes", 1) != 1:
            key = "type" if isinstance(position, Convolution) else "axes"
            yield Finding(
                (*path, "positions", i, key),
                "these positions are those of one image or signal, but this stack joins inputs; "
                "add them in a stack of its own, and join it with `type: stack`",
            )
    for place, _, bias in given_biases(stack) if _joined(stack) else ():
        yield Finding(
            (*path, *place),
            f"`{bias.argument}` has integers for the pairs of tokens of one input, but this stack "
            "joins inputs; attend with this bias in a stack of its own, and join its output with "
            "`type: stack`",
        )


def inputs_can_be_interleaved(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    """Interleaved inputs have a vector for each step."""
    if stack.join != "interleave":
        return
    sources = _joined(stack)
    if not sources:
        yield Finding((*path, "join"), "`interleave` needs several inputs; this stack has one")
    for i, source in sources:
        place: Path = (*path, "input", i)
        if not isinstance(source, Features):
            yield Finding(
                (*place, "type"),
                f"not supported yet: an interleaved input of type `{source.type}`; write `features`"
                ", or remove `join: interleave`",
            )
        elif source.optional or source.prefix_tokens:
            key = "optional" if source.optional else "prefix_tokens"
            yield Finding(
                (*place, key),
                f"interleaved inputs have a vector for each step; remove `{key}`, or write "
                "`join: concatenate`",
            )


STACK_LAWS = (
    inputs_can_be_joined,
    inputs_can_be_interleaved,
    optional_beside_others,
    positions_of_all,
)
