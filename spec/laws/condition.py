"""Laws of conditions: one vector per stack, whose parts fit."""

from __future__ import annotations

from collections.abc import Iterator

from ..condition import Adaptive, Pooled, Timestep
from ..model import Block, ModelSpec, Stack
from ..part import Part
from .findings import Finding, Path, members, parts
from .pools import pool_findings


def conditions(stack: Stack) -> Iterator[tuple[Path, Adaptive]]:
    """The conditions of a stack and of its blocks, with their paths in the stack."""
    if isinstance(stack.condition, Adaptive):
        yield ("condition",), stack.condition
    for kind, block in parts(stack.blocks, Block):
        if isinstance(block.condition, Adaptive):
            yield ("blocks", kind, "condition"), block.condition


def embeds(stack: Stack) -> Iterator[tuple[Path, Part]]:
    """The vectors of the condition of a stack, with their paths in it."""
    for path, condition in conditions(stack):
        for i, embed in enumerate(members(condition.embed)):
            yield (*path, "embed", i), embed
        return  # all conditions have the same ones, by a law


def one_vector(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    """All layers of a stack read the same vector, which is computed once."""
    first: Adaptive | None = None
    for place, condition in conditions(stack):
        if condition.embed == ():
            yield Finding(
                (*path, *place, "embed"), "`embed` is empty; a condition needs at least one vector"
            )
        if first is None:
            first = condition
            if stack.layers == 0 and stack.final_norm is False:
                yield Finding((*path, *place), "no layer or norm reads this condition; remove it")
        for key in ("embed", "activation"):
            if getattr(condition, key) != getattr(first, key):
                yield Finding(
                    (*path, *place, key),
                    f"all layers of a stack read the same vector, so their conditions must have "
                    f"the same `{key}`; blocks may differ in `type` or have `condition: none`",
                )


def vectors_fit(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    for place, embed in embeds(stack):
        here: Path = (*path, *place)
        if isinstance(embed, Timestep):
            least = 4 if embed.denominator == "half_minus_one" else 2
            if embed.width % 2 or embed.width < least:
                yield Finding(
                    (*here, "width"),
                    f"width ({embed.width}) is the number of cosines and sines, so it must be even"
                    + (f" and at least {least}" if least > 2 else ""),
                )
        if isinstance(embed, Pooled):
            if embed.pool.type == "none":
                yield Finding((*here, "pool"), "a condition is one vector, so it needs a `pool`")
            source = spec.stacks.get(embed.stack)
            if isinstance(source, Stack):
                yield from pool_findings((*here, "pool"), embed.stack, source, embed.pool)


STACK_LAWS = (one_vector, vectors_fit)
