"""Where everything of one column stands: upwards along its spine, lanes and tables beside it."""

from __future__ import annotations

from dataclasses import dataclass

from .arrange import Arrangement, Column, Fork, Item, Lane, Region, arrange
from .drawing import COUNT, FONT_SIZES, NAME, SMALL, Box, Edge, Frame, Text
from .kinds import Count, counts_of
from .look import shape_text
from .parts import PORTS, Part, Parts
from .placed import Cursor, Mark, Placed, Reading, Tail
from .sizes import (
    ARROW,
    BOX_WIDTH,
    BRANCH,
    FAN,
    LANE,
    PADDING,
    SIDE_WIDTH,
    TEE,
    lines_of,
    side_width,
    size_of,
    width_of,
)
from .text import shorten, wrap
from .written import written

SIDE_GAP = 5.0  # between tables that stand above one another
COUNT_WIDTH, COUNT_LINES = 124.0, 8  # of the words beside a frame


@dataclass
class Tee:
    """Where a lane leaves the stream."""

    u: float
    y: float
    source: str
    mark: Mark


@dataclass
class Table:
    """A chain of parts that feeds a box from the side, to be drawn beside the frame it is in."""

    chain: list[Part]
    target: Box
    y: float


class Placer:
    """Builds one column. `outputs` are the parts that give a stack's hidden states."""

    def __init__(self, parts: Parts, root: Region, outputs: frozenset[str], depth: str) -> None:
        self.parts, self.root, self.outputs, self.depth = parts, root, outputs, depth
        self.out = Placed()
        self._frame = ""
        self._forks = 0
        self._tables: list[Table] = []
        self._tees: dict[str, Tee] = {}
        self._lanes: list[Lane] = []

    def place(self, arrangement: Arrangement) -> Placed:
        """The finished column of one stack."""
        self._lanes = list(arrangement.lanes)
        self._column(arrangement.column, 0.0, Cursor())
        self._beside(self.out.extent()[0])
        return self.out

    # -- along the spine

    def _column(self, column: Column, u: float, cursor: Cursor) -> Cursor:
        for item in column:
            if isinstance(item, Fork):
                cursor = self._fork(item, u, cursor)
                continue
            if item.part.form == "layers" and self.depth != "stack":
                cursor = self._layers(item.part, u, cursor)
            else:
                cursor = self._item(item, u, cursor)
            self.out.exits[item.part.key] = (cursor.tails[0], cursor.y)
            self._tee(item.part.key, u, cursor)
        return cursor

    def _tee(self, key: str, u: float, cursor: Cursor) -> None:
        if any(lane.start == key for lane in self._lanes):
            cursor.y += TEE
            source = cursor.tails[0].key if cursor.tails else ""
            self._tees[key] = Tee(u, cursor.y, source, self.out.mark())

    def _item(self, item: Item, u: float, cursor: Cursor) -> Cursor:
        part = item.part
        width, height = size_of(part)
        sides = sum(size_of(chain[0], SIDE_WIDTH)[1] + SIDE_GAP for chain in item.sides)
        row = max(height, sides - SIDE_GAP)
        own = [port for port in PORTS if part.ports.get(port, "") not in ("", *self.outputs)]
        read = [source for source in part.outside if source in self.outputs]
        bent = len(cursor.tails) > 1 or len(own) > 1 or bool(read) or self._forks > 0
        bend = cursor.y + (TEE if bent else 0.0)
        entry = bend + (TEE if read else 0.0)
        bottom = entry + (ARROW if cursor.tails else 0.0) + (row - height) / 2
        box = self._box(part, u, bottom + height / 2, width, height)
        if item.joined:
            self._arrive(box, cursor, bend, aside=bool(read))
            if len(own) > 1 and not read:
                self._fan(box, cursor, bend)
        for source in read:
            self._read(box, part, source, entry)
        for lane in self._lanes:
            if lane.end == part.key:
                self._lane(lane, box)
        self._sides(item, box)
        self._outside(part, box)
        return Cursor(bottom + (row + height) / 2, [Tail(box.id, [(u, box.top)])])

    def _box(self, part: Part, u: float, y: float, width: float, height: float) -> Box:
        lines = lines_of(part, max(width, SIDE_WIDTH))
        tip = " · ".join([part.title, *part.lines])
        form = {"wave": "circle", "layers": "box"}.get(part.form, part.form)
        box = Box(
            part.key, part.look, form, u, y, width, height, lines, part.path, tip, self._frame
        )
        box.spec, box.source = written(self.parts.graph, part.origin(self.parts.graph))
        self.out.boxes.append(box)
        return box

    def _arrive(self, box: Box, cursor: Cursor, bend: float, *, aside: bool) -> None:
        """The stream's way into a box; beside what another stack gives, its arrow stands aside."""
        for tail in cursor.tails:
            start = tail.points[-1][0]
            wide = box.form == "box" and abs(start - box.x) < box.width / 2 - 12
            port = box.x + FAN if aside else start if wide else box.x
            points = list(tail.points)
            if start != port:
                points += [(start, bend), (port, bend)]
            points.append((port, box.bottom))
            self.out.edges.append(Edge(tail.key, box.id, points))
            if aside:
                self.out.texts.append(Text("Q", port + 8, box.bottom - 8, SMALL, 0, "flow"))

    def _fan(self, box: Box, cursor: Cursor, y: float) -> None:
        for tail in cursor.tails[:1]:
            for side in (-1, 1):
                u = box.x + side * FAN
                points = [(box.x, y), (u, y), (u, box.bottom)]
                self.out.edges.append(Edge(tail.key, box.id, points))

    def _read(self, box: Box, part: Part, source: str, y: float) -> None:
        ports = [port for port in ("K", "V") if part.ports.get(port) == source] or [""]
        for index, port in enumerate(ports):
            u = box.x - index * FAN if port else box.x - FAN
            self.out.readings.append(Reading(source, box.id, [(u, y), (u, box.bottom)]))
            if port:
                text = Text(port, u - 8, box.bottom - 8, SMALL, 0, "memory")
                self.out.texts.append(text)

    def _fork(self, fork: Fork, u: float, cursor: Cursor) -> Cursor:
        ends = {lane.end for lane in self._lanes}
        widths = [width_of(branch, ends) for branch in fork.branches]
        left = u - (sum(widths) + BRANCH * (len(widths) - 1)) / 2
        y = cursor.y + (TEE if cursor.tails else 0.0)
        found = Cursor(y)
        self._forks += 1
        for branch, width in zip(fork.branches, widths, strict=True):
            centre = left + width / 2
            tails = [Tail(t.key, [*t.points, (u, y), (centre, y)]) for t in cursor.tails]
            end = self._column(branch, centre, Cursor(y, tails))
            found.y = max(found.y, end.y)
            found.tails += end.tails
            left += width + BRANCH
        self._forks -= 1
        return found

    def _lane(self, lane: Lane, box: Box) -> None:
        """From the tee round everything placed since, other lanes included, into the box's side."""
        tee = self._tees[lane.start]
        reach = [placed.x + placed.width / 2 for placed in self.out.boxes[tee.mark[0] :]]
        reach += [u for edge in self.out.edges[tee.mark[1] :] for u, _ in edge.points]
        side = max(reach) + LANE
        points = [(tee.u, tee.y), (side, tee.y), (side, box.y), (box.x + box.width / 2, box.y)]
        self.out.edges.append(Edge(tee.source, box.id, points, "residual"))

    # -- frames

    def _layers(self, part: Part, u: float, cursor: Cursor) -> Cursor:
        """The layers of a stack: each kind of block once, in frames that say how often."""
        scope = self.parts.graph.scopes[part.path]
        blocks = self.parts.blocks(part.path)
        counts = counts_of(scope, blocks)
        if cursor.tails:
            shape = shape_text(self.parts.graph, scope.source)
            cursor = Cursor(cursor.y + TEE + 9, cursor.tails)
            self.out.texts.append(Text(shape, u - 7, cursor.y - 10, SMALL, -1))
        mark = self.out.mark()
        outer = self._open(part.key, part.path, cursor.y) if counts.framed else None
        for block, count in zip(blocks, counts.blocks, strict=True):
            gap = PADDING - 3 if outer or block is not blocks[0] else 0
            inside = self.out.mark()
            frame = self._open(block.path, block.path, cursor.y + gap)
            name = block.name if len(blocks) > 1 else self._stack_name(scope.stack)
            cursor = self._block(block.path, u, Cursor(frame.bottom + 2, cursor.tails))
            self._close(frame, inside, cursor.y + PADDING + (6 if name else 0), name, count)
            cursor.y = frame.top
        if outer is not None:
            self._close(outer, mark, cursor.y + PADDING - 3, "", counts.outer)
            cursor.y = outer.top
        self._beside(min(frame.left for frame in self.out.frames))
        return cursor

    def _stack_name(self, stack: str) -> str:
        return stack if len(self.parts.graph.hidden) > 1 else ""

    def _block(self, path: str, u: float, cursor: Cursor) -> Cursor:
        arrangement = arrange(self.parts, path)
        self._lanes += arrangement.lanes
        self._tee(arrangement.entry, u, cursor)
        return self._column(arrangement.column, u, cursor)

    def _open(self, key: str, path: str, bottom: float) -> Frame:
        frame = Frame(f"{key}.frame", path, 0, bottom, 0, 0, parent=self._frame)
        graph = self.parts.graph
        frame.spec, frame.source = written(graph, graph.scopes[path].origin)
        self.out.frames.append(frame)
        self._frame = frame.id
        return frame

    def _close(self, frame: Frame, mark: Mark, top: float, name: str, count: Count) -> None:
        """Give a frame its size, from what was placed in it, and say how often it stands."""
        left, right = self.out.extent(mark)
        frame.left, frame.right = left - PADDING, right + PADDING
        frame.top = max(top, frame.bottom + 3 * PADDING)
        frame.name = shorten(name, FONT_SIZES[NAME], -frame.left - 26)
        frame.count = count.said()
        self._frame = frame.parent
        x, y = frame.right + 9, (frame.bottom + frame.top) / 2
        small = [s for text in count.small for s in wrap(text, FONT_SIZES[SMALL], COUNT_WIDTH, 3)]
        small = small if len(small) <= COUNT_LINES else [*small[: COUNT_LINES - 1], "…"]
        if count.large:
            self.out.texts.append(Text(count.large, x, y, COUNT, 1, "count"))
            y -= 17
        for index, line in enumerate(small):
            self.out.texts.append(Text(line, x, y - 12 * index, SMALL, 1, "count"))

    # -- at the side

    def _sides(self, item: Item, box: Box) -> None:
        """What feeds a part from the side: sums on the lanes' side, boxes on the other."""
        outwards = 1 if box.form == "circle" else -1
        heights = [size_of(chain[0], SIDE_WIDTH)[1] for chain in item.sides]
        y = box.y - (sum(heights) + SIDE_GAP * (len(heights) - 1)) / 2
        for chain, height in zip(item.sides, heights, strict=True):
            centre = y + height / 2
            near = box.x + outwards * box.width / 2
            far = box.x + outwards * (BOX_WIDTH / 2 + 14)
            self._chain(chain, box, near, far, centre, outwards)
            y += height + SIDE_GAP

    def _chain(
        self, chain: list[Part], box: Box, near: float, far: float, y: float, outwards: int
    ) -> None:
        """Parts in a row, the nearest feeding `box` at u = near, standing from u = far on."""
        target, end = box, near
        for part in chain:
            width, height = size_of(part, side_width(part))
            start = min(far, near + outwards * 34, key=abs) if part.form == "wave" else far
            side = self._box(part, start + outwards * width / 2, y, width, height)
            points = [(start, y), (end, y)]
            if target is box and abs(y - box.y) > box.height / 2 - 2:
                points = [(start, y), (box.x, y), (box.x, _near(box, y))]
            self.out.edges.append(Edge(side.id, target.id, points))
            if part.form == "wave":
                self._words(part, start + outwards * (width + 6), y, outwards)
            target, end = side, start + outwards * width
            far = end + outwards * 22

    def _words(self, part: Part, u: float, y: float, anchor: int) -> None:
        lines = wrap(part.title, FONT_SIZES[SMALL], 60, 3)
        for index, line in enumerate(lines):
            height = y + 6 * (len(lines) - 1) - 12 * index
            self.out.texts.append(Text(line, u, height, SMALL, anchor))

    def _outside(self, part: Part, box: Box) -> None:
        """Remember the tables that feed a box from outside its frame."""
        sources = [source for source in part.outside if source not in self.outputs]
        chains = [chain for source in sources for chain in self.root.chain(source)]
        for index, chain in enumerate(chains):
            y = box.y + (index - (len(chains) - 1) / 2) * (box.height - 14) / max(1, len(chains))
            self._tables.append(Table(chain, box, y))

    def _beside(self, left: float) -> None:
        """Draw the remembered tables left of u = left; one that feeds several boxes stands once."""
        known: dict[str, Box] = {}
        wanted, self._tables = self._tables, []
        lowest = float("-inf")
        for table in wanted:
            key = table.chain[0].key
            end = table.target.x - table.target.width / 2
            if key in known:
                source = known[key]
                points = [(source.x, source.top), (source.x, table.y), (end, table.y)]
                self.out.edges.append(Edge(source.id, table.target.id, points, "position"))
                continue
            height = size_of(table.chain[0], SIDE_WIDTH)[1]
            y = max(table.y, lowest + height / 2 + SIDE_GAP)
            lowest = y + height / 2
            before = len(self.out.edges), len(self.out.boxes)
            self._chain(table.chain, table.target, end, left - 12, y, -1)
            self.out.edges[before[0]].look = "position"
            known[key] = self.out.boxes[before[1]]


def _near(box: Box, y: float) -> float:
    """The edge of a box that is nearest to a height outside it."""
    return box.top if y > box.y else box.bottom
