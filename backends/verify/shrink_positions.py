"""Positions that fit the small widths of a stack."""

from __future__ import annotations

from typing import Any

from ...spec.branches import each_alone
from ...spec.laws.rotary import rotaries, turned
from ...spec.model import Block, Stack
from ...spec.positions import LongRope, Sinusoidal


def fit_positions(stack: Stack) -> Stack:
    """A stack whose LongRoPE has one divisor per remaining pair, taken from the original ones, and
    whose positions of a video divide the remaining features.
    """
    blocks = {}
    for name, block in stack.blocks.items():
        sublayers = tuple(
            part.model_copy(update={"positions": _fitted_positions(stack, one)})
            if getattr(part, "positions", None)
            else part
            for part, (_, one) in zip(block.sublayers, each_alone(block), strict=False)
        )
        positions = _fitted_positions(stack, block)
        blocks[name] = block.model_copy(update={"positions": positions, "sublayers": sublayers})
    inherited = [name for name, block in stack.blocks.items() if block.positions == stack.positions]
    positions = tuple(_sinusoids(stack, stack.positions))
    if inherited:
        positions = blocks[inherited[0]].positions
    return stack.model_copy(update={"blocks": blocks, "positions": positions})


def _fitted_positions(stack: Stack, block: Block) -> tuple[Any, ...]:
    positions = _sinusoids(stack, block.positions)
    for i, position in rotaries(block):
        width = turned(block, stack, position)
        if width is None:
            continue
        positions[i] = _fewer_features(position, int(width))
        if isinstance(position.scaling, LongRope):
            scaling = _fewer_divisors(position.scaling, int(width) // 2)
            positions[i] = position.model_copy(update={"scaling": scaling})
    return tuple(positions)


def _sinusoids(stack: Stack, positions: tuple[Any, ...]) -> list[Any]:
    """Positions, whose sinusoids have as many features as the vectors."""
    return [
        _fewer_features(one, stack.d_model) if isinstance(one, Sinusoidal) else one
        for one in positions
    ]


def _fewer_features(position: Any, width: int) -> Any:
    """Positions of a video whose axes have about the same shares of these features, in pairs."""
    widths = getattr(position, "widths", None)
    if widths is None or sum(widths) <= width:
        return position
    row, column = (max(2, one * width // sum(widths) // 2 * 2) for one in widths[1:])
    return position.model_copy(update={"widths": (width - row - column, row, column)})


def _fewer_divisors(scaling: LongRope, count: int) -> LongRope:
    update = {}
    for name in ("short_factor", "long_factor"):
        old = getattr(scaling, name)
        if len(old) > count > 0:
            step = (len(old) - 1) / max(count - 1, 1)
            update[name] = tuple(old[round(i * step)] for i in range(count))
    return scaling.model_copy(update=update)
