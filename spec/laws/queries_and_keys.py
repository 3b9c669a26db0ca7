"""Laws of positions that are added to queries and keys."""

from __future__ import annotations

from collections.abc import Iterator

from ..attention import Mha
from ..branches import branch_blocks, is_attention
from ..embedding import ZeroInput
from ..model import Block, ModelSpec, Stack
from ..part import Nothing, Part
from ..positions import Sinusoidal, in_attention
from ..sublayers import Recurrence
from .findings import Finding, Path, members, parts


def _attentions(stack: Stack) -> list[Part]:
    """Every attention of a stack."""
    blocks = branch_blocks(block for _, block in parts(stack.blocks, Block))
    found = [part for block in blocks for part in (block.attention, block.cross_attention)]
    inner = [part for block in blocks for part in members(block.sublayers)]
    found += [part.attention for part in inner if isinstance(part, Recurrence)]
    return [part for part in found if is_attention(part)]


def _memory(part: Part) -> str | None:
    return getattr(part, "memory", None)


def added_to_queries_and_keys(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    """The attentions of the stack have queries and keys with vectors of their own."""
    registers = any(getattr(source, "registers", 0) for source in members(stack.input))
    for i, position in enumerate(members(stack.positions)):
        if not in_attention(position):
            continue
        place: Path = (*path, "positions", i, "add_to")
        found = _attentions(stack)
        other = next((part for part in found if not isinstance(part, Mha)), None)
        if not found:
            yield Finding(place, "`add_to: queries_and_keys` has no effect without attention")
        elif other is not None:
            kind = getattr(other, "type", "none")
            yield Finding(
                place,
                "`add_to: queries_and_keys` needs attention of type `mha`, but this stack has "
                f"`{kind}`",
            )
        if registers and not isinstance(position, Sinusoidal):
            yield Finding(
                place,
                "registers have no position, but each query and key has one here; write "
                "`prefix_tokens` instead of registers",
            )


def keys_of_other_stacks(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    """Which positions keys can have in the stacks that attend to this one."""
    readers = [
        (name, part)
        for name, other in parts(spec.stacks, Stack)
        for part in _attentions(other)
        if _memory(part) == path[1]
    ]
    for i, position in enumerate(members(stack.positions) if readers else ()):
        if not in_attention(position):
            continue
        place: Path = (*path, "positions", i, "add_to")
        name, _ = readers[0]
        if not isinstance(position, Sinusoidal) or position.axes == 1:
            yield Finding(
                place,
                f"`{name}` attends to this stack, and the only positions that its keys can have "
                "are the sinusoids of an image; write `add_to: input`",
            )
        if stack.output_width not in (None, stack.d_model):
            yield Finding(
                place,
                f"`{name}` attends to this stack, whose positions have d_model ({stack.d_model}) "
                f"numbers and its output {stack.output_width}; remove `output_width`",
            )
        for name, part in readers:
            if not isinstance(part, Mha):
                yield Finding(
                    place,
                    f"`{name}` attends to this stack; its attention must have the type `mha`, "
                    f"not `{getattr(part, 'type', 'none')}`",
                )


def zeros_differ(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    """Vectors of zeros differ by positions only."""
    for i, source in enumerate(members(stack.input)):
        if not isinstance(source, ZeroInput):
            continue
        if not any(map(in_attention, members(stack.positions))):
            yield Finding(
                (*path, "input", i),
                "vectors of zeros are all equal without positions that are added to queries and "
                "keys; write `positions: {type: learned, add_to: queries_and_keys}`, or an input "
                "of type `learned`",
            )
        if source.normalize is not False and not isinstance(source.norm, Nothing):
            yield Finding(
                (*path, "input", i, "normalize"),
                "the norm of zeros is the same vector for each token; remove `normalize`",
            )


STACK_LAWS = (added_to_queries_and_keys, keys_of_other_stacks, zeros_differ)
