"""What is drawn: a part, and the region that it stands in."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...compiler.graph import ModuleGraph, Op, Origin
from .knots import Woven

ROOT = ""
PORTS = ("Q", "K", "V")


@dataclass
class Part:
    """Something that is drawn. `inputs` are parts of its own region, `outside` of outer ones."""

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
    sideways: bool = False  # in a figure that runs to the right
    cost: str = ""  # a small line, where costs are asked for
    inner: Woven | None = None  # where everything of an opened module stands

    def origin(self, graph: ModuleGraph) -> Origin:
        """The place in the spec that asked for it."""
        scope = graph.scopes.get(self.key)
        return scope.origin if scope else self.ops[0].origin if self.ops else ()


@dataclass
class Region:
    """The parts of one scope that is drawn as a whole. `result` is the part that ends it."""

    path: str
    parts: list[Part] = field(default_factory=list)
    entry: str = ""
    result: str = ""
