"""Arrange the parts of a region as a column with forks and lanes for residual connections.

Residual blocks are series-parallel graphs: branches run from a fork to the join above it, and a
value that bypasses a branch is a lane. The join of `x + f(norm(x))` has the lane x and the branch
f; that of a parallel block has two branches and a lane; queries, keys and values of an opened
attention are three branches. Other graphs are drawn as one column, with a lane for every edge that
skips a part.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import takewhile

from .look import JOINS
from .part import Part
from .parts import Parts


@dataclass
class Item:
    """One part, and the chains of parts that are its inputs from the side, nearest first.

    `joined`: it reads the part directly below it.
    """

    part: Part
    sides: list[list[Part]] = field(default_factory=list)
    joined: bool = True


@dataclass
class Fork:
    """Parallel branches below the item that joins them."""

    branches: list[Column]


Column = list["Item | Fork"]
"""A column, from the bottom to the top."""


@dataclass(frozen=True)
class Lane:
    """An edge that bypasses the parts between its ends."""

    start: str
    end: str


@dataclass(frozen=True)
class Flow:
    """The parts of a region in topological order, from `entry` to `result`, and their inputs."""

    entry: str
    result: str
    order: list[Part]
    inputs: dict[str, list[str]]


@dataclass
class Arrangement:
    column: Column
    lanes: list[Lane]
    entry: str = ""


class Region:
    """The flow inside one region: inputs of parts from below and from the side."""

    def __init__(self, parts: Parts, flow: Flow) -> None:
        self.parts = parts
        self.entry, self.result, self.order = flow.entry, flow.result, flow.order
        self.inputs = flow.inputs
        self.streams: dict[str, list[str]] = {}
        self.sides: dict[str, list[str]] = {}
        self.above: dict[str, tuple[str, ...]] = {}  # the dominators of a part
        self.ancestors: dict[str, set[str]] = {}
        self.readers: dict[str, int] = {}
        for part in self.order:
            self._add(part)

    @classmethod
    def of(cls, parts: Parts, path: str) -> Region:
        """The whole region of this path."""
        found, order = parts.regions[path], parts.order(path)
        inputs = {part.key: part.inputs for part in order}
        return cls(parts, Flow(found.entry, found.result, order, inputs))

    def _add(self, part: Part) -> None:
        inputs = self.inputs[part.key]
        roots = [self.above[source][0] for source in inputs]
        main = self.entry if self.entry in roots else roots[0] if roots else ""
        stream = [s for s, root in zip(inputs, roots, strict=True) if root == main]
        if any(op.kind in JOINS for op in part.ops):  # a branch for each of them
            stream = inputs
        self.streams[part.key] = stream
        self.sides[part.key] = [source for source in inputs if source not in stream]
        shared = self.common(stream) if stream else ()
        self.above[part.key] = (*shared, part.key)
        self.ancestors[part.key] = set(stream).union(*(self.ancestors[s] for s in stream))
        for source in inputs:
            self.readers[source] = self.readers.get(source, 0) + 1

    def common(self, keys: list[str]) -> tuple[str, ...]:
        """The common dominators of these parts, nearest last."""
        ways = [self.above[key] for key in keys]
        same = takewhile(lambda level: len(set(level)) == 1, zip(*ways, strict=False))
        return tuple(level[0] for level in same)

    def operands(self, key: str) -> list[str]:
        """The inputs of a part from below; nested sums are one sum."""
        found = []
        for source in self.streams[key]:
            inner = self.parts.by_key[source]
            alike = inner.look == "sum" and inner.title == self.parts.by_key[key].title
            if alike and self.readers[source] == 1 and len(self.streams[source]) > 1:
                found.extend(self.operands(source))
            else:
                found.append(source)
        return found

    def chain(self, key: str) -> list[list[Part]]:
        """The inputs of a part from the side; sums are split."""
        part = self.parts.by_key[key]
        if part.look == "sum" and part.inputs:
            return [chain for source in part.inputs for chain in self.chain(source)]
        sources = [self.parts.by_key[source] for source in part.inputs]
        if len(sources) > 1 and all(source.form == "text" for source in sources):
            names = ", ".join(source.title for source in sources)
            return [[part, replace(sources[0], title=names, lines=())]]
        rest = self.chain(next(iter(part.inputs))) if part.inputs else []
        return [[part, *(rest[0] if rest else [])]]

    def item(self, key: str) -> Item:
        sides = [chain for source in self.sides[key] for chain in self.chain(source)]
        return Item(self.parts.by_key[key], sides)


def arrange(parts: Parts, path: str) -> Arrangement:
    """The arrangement of a region with an entry: a kind of block."""
    region = Region.of(parts, path)
    return arrange_from(region, region.result, frozenset([region.entry]))


def arrange_from(region: Region, result: str, stops: frozenset[str]) -> Arrangement:
    """The column from one of the parts `stops`, or from the bottom, up to `result`."""
    lanes: list[Lane] = []
    column = _column(region, result, stops, lanes)
    entry = next((key for key in region.above.get(result, ())[::-1] if key in stops), "")
    if not _sound(column, lanes, entry):
        return _single_file(region, result, stops, entry)
    return Arrangement(column, lanes, entry)


def _column(region: Region, key: str, stops: frozenset[str], lanes: list[Lane]) -> Column:
    column: Column = []
    while key and key not in stops:
        column.append(region.item(key))
        operands = region.operands(key)
        if not operands:
            break
        around = [o for o in operands if any(o in region.ancestors[other] for other in operands)]
        lanes.extend(Lane(start, key) for start in around)
        branches = [o for o in operands if o not in around]
        if len(branches) == 1:
            key = branches[0]
            continue
        fork = next(iter(region.common(branches)[::-1]), "")
        column.append(Fork([_column(region, branch, stops | {fork}, lanes) for branch in branches]))
        key = fork
    return column[::-1]


def keys(column: Column) -> list[str]:
    """The parts of a column, without those at its side."""
    found = []
    for item in column:
        if isinstance(item, Item):
            found.append(item.part.key)
        else:
            found.extend(key for branch in item.branches for key in keys(branch))
    return found


def _sound(column: Column, lanes: list[Lane], entry: str) -> bool:
    """Whether every part occurs once and every lane connects two parts."""
    found = keys(column)
    ends = {end for lane in lanes for end in (lane.start, lane.end)}
    return len(set(found)) == len(found) and ends <= {*found, entry}


def _single_file(region: Region, result: str, stops: frozenset[str], entry: str) -> Arrangement:
    wanted = {result, *region.ancestors[result]}
    below = set().union(*(region.ancestors[s] for s in stops if s in wanted), stops)
    order = [part.key for part in region.order if part.key in wanted - below]
    lanes: list[Lane] = []
    column: Column = []
    for index, key in enumerate(order):
        before = order[index - 1] if index else entry
        lanes.extend(Lane(s, key) for s in region.streams[key] if s != before)
        item = region.item(key)
        item.joined = before in region.streams[key]
        column.append(item)
    return Arrangement(column, lanes, entry)
