"""What can be asked of a figure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from .palette import THEMES

DEPTHS = ("stack", "block", "module", "ops")
DIRECTIONS = ("up", "right")
MOST = 64  # layers one by one: nobody reads more
MARKS = ("added", "changed", "removed")


class DrawError(Exception):
    """A figure that cannot be drawn here; the message says why, and what can be done."""


@dataclass(frozen=True, kw_only=True)
class DrawOptions:
    """How to draw. Raises DrawError for a value that is no option.

    depth      what is opened: `stack` draws one box for all layers of a stack, `block` what is in
               a layer, `module` what is in attention, feed-forward and heads, `ops` every op
    unroll     how many of the first layers of each stack stand one by one
    shapes     say the shapes of inputs, results and the stream
    costs      say the weights of each part, and its share of the FLOPs
    legend     say below what the colours and lines are
    stack      draw one stack alone, by its name
    direction  where the stream runs: `up`, or to the `right`
    theme      `auto` is light, and in an SVG dark where the reader's page is dark; `light`, `dark`;
               `print` is black, white and grey
    marks      parts to point out: a place in the resolved spec, dotted as in
               `stacks.decoder.blocks.block.attention.heads`, and what happened to it: added,
               changed or removed. The part that the place belongs to gets an outline, a sign and
               the classes `marked` and, say, `changed`
    """

    depth: str = "block"
    unroll: int = 0
    shapes: bool = True
    costs: bool = False
    legend: bool = False
    stack: str | None = None
    direction: str = "up"
    theme: str = "auto"
    marks: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        _one_of("depth", self.depth, DEPTHS)
        _one_of("direction", self.direction, DIRECTIONS)
        _one_of("theme", self.theme, THEMES)
        if not 0 <= self.unroll <= MOST:
            raise DrawError(f"unroll is {self.unroll}: it is from 0 to {MOST}")
        for mark in self.marks.values():
            _one_of("mark", mark, MARKS)


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise DrawError(f"no {name} `{value}`: it is one of {', '.join(choices)}")
