"""Sizes of a spec that the page has sliders for: where they are written, and what they may be."""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd, lcm
from typing import Any

from ..spec import Block, Mark, ModelSpec, Stack
from ..spec.attention.differential import Differential
from ..spec.embedding import ConvStem
from ..spec.positions import Rotary
from ..spec.sublayers import Recurrence

MOST_LAYERS = 128
MOST_WIDTH = 16_384
MOST_HEADS = 128
STEP = 64  # of d_model, where heads allow it


def sizes(spec: ModelSpec) -> list[dict[str, Any]]:
    """A slider for each number in the text: its key, stacks, place, value, and values to choose.

    Numbers that a default, a base or a formula gives have no slider; nor has one whose stack leaves
    no choice. A number that two stacks share has one slider.
    """
    found: dict[tuple[int, int], dict[str, Any]] = {}
    for stack, key, value, mark, values in _numbers(spec):
        at = (mark.line, mark.column)
        if at in found:
            found[at]["stacks"] += [] if stack in found[at]["stacks"] else [stack]
            allowed = set(values)
            found[at]["values"] = [v for v in found[at]["values"] if v in allowed]
            continue
        found[at] = {
            "key": key,
            "stacks": [stack],
            "value": value,
            "values": values,
            "line": mark.line,
            "column": mark.column,
            "end": mark.end_column,
        }
    order = ("layers", "d_model", "heads")
    sliders = [each for each in found.values() if len(each["values"]) > 1]
    return sorted(sliders, key=lambda each: (order.index(each["key"]), each["line"]))


def _numbers(spec: ModelSpec) -> Iterator[tuple[str, str, int, Mark, list[int]]]:
    for name, stack in spec.stacks.items():
        heads = _heads(stack)
        fixed = any(isinstance(s, ConvStem) and not s.project for s in stack.input)
        for key, path, value, values in (
            ("layers", ("layers",), stack.layers, _layers(stack)),
            ("d_model", ("d_model",), stack.d_model, [] if fixed else _widths(stack, heads)),
            *(
                ("heads", ("blocks", block, "attention", "heads"), count, _counts(stack, each))
                for block, each in stack.blocks.items()
                if (count := getattr(each.attention, "heads", None))
            ),
        ):
            mark = spec.mark(("stacks", name, *path))
            here = mark is not None and not mark.why and mark.file == spec.source_name
            if mark is not None and here and isinstance(value, int):
                yield name, key, value, mark, sorted({*values, value})


def _heads(stack: Stack) -> list[int]:
    """The parts into which blocks divide d_model, where the head size follows from it."""
    counts = [(getattr(b.attention, "heads", None), b) for b in stack.blocks.values()]
    return [n * _unit(b) // 2 for n, b in counts if isinstance(n, int) and _divides(b)]


def _unit(block: Block) -> int:
    """The part of d_model for a head is a multiple of this.

    Each of its queries has an even number of rotated features; differential attention has two.
    """
    shares = [p.fraction for p in block.positions if isinstance(p, Rotary)]
    even = next(n for n in range(2, 129, 2) if all(n * share % 2 == 0 for share in shares))
    return even * (2 if isinstance(block.attention, Differential) else 1)


def _divides(block: Block) -> bool:
    return getattr(block.attention, "head_dim", None) is None


def _layers(stack: Stack) -> list[int]:
    ends = [b.sublayers[-1] for b in stack.blocks.values() if b.sublayers]
    if any(isinstance(part, Recurrence) and part.output == "none" for part in ends):
        return []  # the result of such a layer is not the input of another
    return list(range(1, max(MOST_LAYERS, stack.layers) + 1))


def _widths(stack: Stack, heads: list[int]) -> list[int]:
    """Multiples of the step that all heads divide with an even quotient, as rotary wants it."""
    step = STEP
    for count in heads:
        step = step * 2 * count // gcd(step, 2 * count)
    most = max(MOST_WIDTH, stack.d_model)
    return list(range(step, most + 1, step))


def _counts(stack: Stack, block: Block) -> list[int]:
    """Numbers of heads that divide d_model and are multiples of the key/value heads."""
    kv = getattr(block.attention, "kv_heads", None)
    masks = len(block.mask) if isinstance(block.mask, tuple) else 1
    kv = lcm(kv if isinstance(kv, int) else 1, masks)
    most = min(MOST_HEADS, stack.d_model // 2)
    free = not _divides(block)
    return [
        n
        for n in range(kv, most + 1, kv)
        if free or (stack.d_model % n == 0 and stack.d_model // n % _unit(block) == 0)
    ]
