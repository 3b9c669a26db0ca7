"""Parts of a figure and their regions."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...compiler.graph import ModuleGraph, Op, Origin
from .knots import Woven

ROOT = ""
PORTS = ("Q", "K", "V")


@dataclass
class Part:
    """A part of a figure. `inputs` are in the same region, `outside` in outer ones."""

    key: str
    form: str  # a form of look.py, or `layers`
    look: str
    region: str
    path: str
    title: str = ""
    lines: tuple[str, ...] = ()
    inputs: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    ports: dict[str, str] = field(default_factory=dict)  # Q, K, V -> the part each comes from
    ops: list[Op] = field(default_factory=list)
    sideways: bool = False  # in a horizontal figure
    cost: str = ""  # a line with costs, if requested
    inner: Woven | None = None  # layout of an opened module
    place: Origin = ()  # path in the spec of a part that no op or module is drawn as

    def origin(self, graph: ModuleGraph) -> Origin:
        """Path in the spec."""
        scope = graph.scopes.get(self.key)
        return scope.origin if scope else self.ops[0].origin if self.ops else self.place


@dataclass
class Region:
    """The parts of a scope that is drawn as a region. `result` is its last part.

    `streams` are the parts with the hidden states of each stream: at the entry, and after each
    sublayer. It is empty if there is one stream.
    """

    path: str
    parts: list[Part] = field(default_factory=list)
    entry: str = ""
    result: str = ""
    streams: list[list[str]] = field(default_factory=list)
