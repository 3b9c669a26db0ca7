"""Options of figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from .palette import THEMES

DEPTHS = ("stack", "block", "module", "ops")
DIRECTIONS = ("up", "right")
MOST = 64  # maximum number of separate layers
MARKS = ("added", "changed", "removed")


class DrawError(Exception):
    """A figure cannot be drawn; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class DrawOptions:
    """How to draw a model. Raises DrawError for a value that is not supported.

    depth      what is drawn: `stack` one box for all layers of a stack, `block` the branches of a
               layer, `module` the modules inside attention, feed-forward and heads, `ops` every op
    unroll     number of first layers of each stack to draw separately
    shapes     show the shapes of inputs, outputs and hidden states
    costs      show the parameters of each part, and its share of the FLOPs
    legend     explain colours and lines below the figure
    stack      name of the only stack to draw
    direction  direction from input to output: `up` or `right`
    theme      `auto` follows the light or dark mode of the page in an SVG and is light otherwise;
               `light`; `dark`; `print` is black, white and grey
    marks      parts to mark: path in the spec, such as
               `stacks.decoder.blocks.block.attention.heads`, and its state: added, changed or
               removed. The part gets an outline, a sign, and the classes `marked` and
               `added`, `changed` or `removed`
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
            raise DrawError(f"unroll must be from 0 to {MOST}, not {self.unroll}")
        for mark in self.marks.values():
            _one_of("mark", mark, MARKS)


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise DrawError(f"unknown {name} `{value}`; expected one of: {', '.join(choices)}")
