"""Laws of rotary positions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..attention import Collaborative, Mla
from ..model import Block, ModelSpec, Stack
from ..part import Nothing
from ..positions import Llama3, LongRope, Rotary, Yarn
from .attention import Headed, head_width
from .findings import Finding, Path, members
from .grids import of_the_input, widths_fit


def rotaries(block: Block) -> Iterator[tuple[int, Rotary]]:
    for i, position in enumerate(members(block.positions)):
        if isinstance(position, Rotary):
            yield i, position


def turned(block: Block, stack: Stack, position: Rotary) -> float | None:
    """Number of rotated features per head; None if unknown."""
    if isinstance(block.attention, Mla):
        return block.attention.rope_dim * position.fraction
    if not isinstance(block.attention, Headed):
        return None
    width = head_width(block.attention, stack)
    return None if width is None else width * position.fraction


def rotary_pairs(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    for i, position in rotaries(block):
        width = turned(block, stack, position)
        if width is None:
            continue
        if abs(width - round(width)) > 1e-6 or round(width) % 2 or width < 2:
            whole = width / position.fraction
            part = "" if position.fraction == 1 else f" ({position.fraction:g} of {whole:g})"
            option: Path = ("positions", i)
            if isinstance(block.attention, Mla):
                option = ("attention", "rope_dim")
            elif isinstance(block.attention, Headed) and block.attention.head_dim:
                option = ("attention", "head_dim")
            yield Finding(
                (*path, *(option if position.fraction == 1 else ("positions", i, "fraction"))),
                "rotary positions rotate pairs of features, so the number of rotated features "
                f"per head, {width:g}{part}, must be even",
            )


def latent_whole(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    for i, position in rotaries(block):
        if isinstance(block.attention, Mla) and position.fraction != 1:
            yield Finding(
                (*path, "positions", i, "fraction"),
                "in attention of type `mla`, `rope_dim` sets the number of rotated features; "
                "`fraction` must be 1",
            )


def llama3(stack: Stack, position: Rotary, scaling: Llama3, width: float | None) -> Iterator[str]:
    if scaling.high_freq_factor <= scaling.low_freq_factor:
        yield (
            f"high_freq_factor ({scaling.high_freq_factor:g}) must be above low_freq_factor "
            f"({scaling.low_freq_factor:g})"
        )


def yarn(stack: Stack, position: Rotary, scaling: Yarn, width: float | None) -> Iterator[str]:
    if scaling.beta_fast <= scaling.beta_slow:
        yield (f"beta_fast ({scaling.beta_fast:g}) must be above beta_slow ({scaling.beta_slow:g})")
    if position.theta <= 1:
        yield f"`scaling: yarn` needs a theta above 1, not {position.theta:g}"
    for key, unused in (("mscale", 1), ("mscale_all_dims", 0)):
        value = getattr(scaling, key)
        if scaling.factor <= 1 and value != unused:
            yield (
                f"{key} ({value:g}) has no effect, because factor ({scaling.factor:g}) is not "
                "above 1; remove it"
            )


def longrope(
    stack: Stack, position: Rotary, scaling: LongRope, width: float | None
) -> Iterator[str]:
    for key in ("short_factor", "long_factor"):
        count = len(getattr(scaling, key))
        if width is not None and count != width // 2:
            yield f"{key} must have {width // 2:g} numbers, one per rotated pair, not {count}"
    if (scaling.short_mscale is None) is not (scaling.long_mscale is None):
        yield "short_mscale and long_mscale must both be set"
    elif scaling.short_mscale is None and stack.max_positions is None:
        yield (
            "`scaling: longrope` needs `max_positions` in the stack, or `short_mscale` and "
            "`long_mscale`"
        )
    elif scaling.short_mscale is None and scaling.original_max_positions < 2:
        yield "original_max_positions must be at least 2, because longrope divides by its logarithm"


def heads_rotate(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    """A mixing vector of collaborative heads would weigh the two features of a pair differently."""
    for i, _ in rotaries(block):
        if isinstance(block.attention, Collaborative):
            yield Finding(
                (*path, "positions", i),
                "rotary positions are not supported with attention of type `collaborative`, whose "
                "heads share their queries and keys",
            )


def on_a_grid(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    """Rotary positions with several axes need patches."""
    for i, position in rotaries(block):
        place: Path = (*path, "positions", i)
        yield from of_the_input(place, position, members(stack.input))
        if position.axes == 1:
            continue
        several = f"`axes: {position.axes}`"
        if not isinstance(block.attention, Headed):
            yield Finding(
                (*place, "axes"), f"{several} needs attention of type `mha` or `differential`"
            )
        if not isinstance(position.scaling, Nothing):
            yield Finding(
                (*place, "scaling"),
                f"`scaling` extends the sequence length and cannot be combined with {several}",
            )
        width = turned(block, stack, position)
        if width is not None and position.axes == 3:
            name = "the number of rotated features per head"
            yield from widths_fit(place, position, width, name)
        elif width is not None and width % 4:
            yield Finding(
                (*place, "axes"),
                "rows and columns each rotate pairs of features, so the number of rotated "
                f"features per head ({width:g}) must be a multiple of 4",
            )


RULES: dict[type[Any], Callable[..., Iterator[str]]] = {
    Llama3: llama3,
    Yarn: yarn,
    LongRope: longrope,
}


def scalings(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    for i, position in rotaries(block):
        scaling = position.scaling
        if isinstance(scaling, Nothing) or type(scaling) not in RULES:
            continue
        width = turned(block, stack, position)
        for message in RULES[type(scaling)](stack, position, scaling, width):
            yield Finding((*path, "positions", i, "scaling"), message)


LAWS = (rotary_pairs, latent_whole, heads_rotate, on_a_grid, scalings)
