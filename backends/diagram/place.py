"""Where everything of one column stands: upwards along its spine, lanes and tables beside it."""

from __future__ import annotations

from dataclasses import dataclass

from ...compiler.graph import Scope
from .arrange import Arrangement, Column, Fork, Item, Lane, Region, arrange
from .drawing import COUNT, FONT_SIZES, NAME, SMALL, TITLE, Box, Edge, Frame, Point, Text
from .inside import main_source, open_modules
from .kinds import Count, Group, groups_of, note
from .lanes import even
from .look import shape_text
from .options import DrawOptions
from .parts import PORTS, Part, Parts
from .placed import Cursor, Mark, Placed, Reading, Tail, rename, renamed
from .sizes import (
    ARROW,
    BOX_WIDTH,
    BRANCH,
    ENTRY,
    FAN,
    LANE,
    LINE,
    PADDING,
    SIDE_WIDTH,
    TEE,
    frame_lines,
    frame_of,
    lines_of,
    side_width,
    size_of,
    width_of,
)
from .text import shorten, text_width, wrap
from .written import written

SIDE_GAP = 5.0  # between tables that stand above one another
WAVE_WORDS = 60.0  # the width of the words beside a wave
ACROSS = 76.0  # the most that a box takes across a figure that runs to the right
GAP_ABOVE = PADDING - 3  # between frames that stand above one another
WIRES = 7.0  # between the lines that lead from tables up and down
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
    """A chain of parts that feeds others from the side, to be drawn beside the frame they are in.

    `ways` are the boxes it feeds and the points on the way to each, the first at its height.
    """

    chain: list[Part]
    y: float
    ways: list[tuple[Box, list[Point]]]


class Placer:
    """Builds one column. `outputs` are the parts that give a stack's hidden states."""

    def __init__(
        self,
        parts: Parts,
        root: Region,
        outputs: frozenset[str],
        options: DrawOptions,
        *,
        mirrored: bool = False,
    ) -> None:
        self.parts, self.root, self.outputs, self.options = parts, root, outputs, options
        self._mirrored, self._sideways = mirrored, options.direction == "right"
        self._fan_step = FAN / 2 if self._sideways else FAN
        self.out = Placed(sideways=options.direction == "right")
        self._frame = ""
        self._forks = 0
        self._tables: list[Table] = []
        self._tees: dict[str, Tee] = {}
        self._lanes: list[Lane] = []

    def place(self, arrangement: Arrangement) -> Placed:
        """The finished column of one stack."""
        self._lanes = list(arrangement.lanes)
        open_modules(self.parts, arrangement.column, mirrored=self._mirrored)
        self._column(arrangement.column, 0.0, Cursor())
        self._beside(self.out.extent()[0])
        return self.out

    # -- along the spine

    def _column(self, column: Column, u: float, cursor: Cursor) -> Cursor:
        for item in column:
            if isinstance(item, Fork):
                cursor = self._fork(item, u, cursor)
                continue
            if item.part.form == "layers" and self.options.depth != "stack":
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
        if part.inner is not None:
            return self._opened(part, u, cursor)
        width, height = size_of(part)
        sides = sum(self._side_height(chain) + SIDE_GAP for chain in item.sides)
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

    def _opened(self, part: Part, u: float, cursor: Cursor) -> Cursor:
        """An opened module: a frame with its name, and what is in it."""
        inner = part.inner
        assert inner is not None
        left, right, height = frame_of(part)
        bend = cursor.y + (TEE if len(cursor.tails) > 1 or self._forks else 0.0)
        bottom = bend + (ARROW - ENTRY if cursor.tails else 0.0)
        frame = self._open(part.key, part.path, bottom)
        frame.id = self._frame = part.key
        frame.look = part.look
        frame.left, frame.right, frame.top = u - left, u + right, bottom + height
        frame.name = part.title
        room = height if self._sideways else right if inner.mirrored else left
        frame.lines = frame_lines(part, room)
        known = {
            key: self._box(self.parts.by_key[key], u + x, bottom + ENTRY + y, width, height)
            for key, (x, y, width, height) in inner.places.items()
        }
        self._frame = frame.parent
        main = main_source(self.parts, part)
        tables: dict[str, list[tuple[Box, list[Point]]]] = {}
        for source, target, way in inner.ways:
            points = [(u + x, bottom + ENTRY + y) for x, y in way]
            if source == main:
                self._enter(known[target], cursor, bend, points[1:])
            elif source in known:
                self.out.edges.append(Edge(source, target, points))
            elif source in self.outputs:
                self.out.readings.append(Reading(source, target, points))
            else:
                tables.setdefault(source, []).append((known[target], points))
        for source, ways in tables.items():
            for chain in self.root.chain(source):
                self._tables.append(Table(chain, ways[0][1][0][1], ways))
        result = known[self.parts.regions[part.key].result]
        return Cursor(frame.top, [Tail(result.id, [(result.x, result.top)])])

    def _enter(self, box: Box, cursor: Cursor, bend: float, way: list[Point]) -> None:
        """The stream's way to a part of an opened module."""
        for tail in cursor.tails:
            points = list(tail.points)
            if points[-1][0] != way[0][0]:
                points += [(points[-1][0], bend), (way[0][0], bend)]
            self.out.edges.append(Edge(tail.key, box.id, [*points, *way]))

    def _box(self, part: Part, u: float, y: float, width: float, height: float) -> Box:
        lines = lines_of(part, max(height if self._sideways else width, SIDE_WIDTH))
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
            port = box.x + self._fan_step if aside else start if wide else box.x
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
                u = box.x + side * self._fan_step
                points = [(box.x, y), (u, y), (u, box.bottom)]
                self.out.edges.append(Edge(tail.key, box.id, points))

    def _read(self, box: Box, part: Part, source: str, y: float) -> None:
        ports = [port for port in ("K", "V") if part.ports.get(port) == source] or [""]
        for index, port in enumerate(ports):
            u = box.x - (index if port else 1) * self._fan_step
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
        reach += [frame.right for frame in self.out.frames[tee.mark[3] :] if frame.right]
        side = max(reach) + LANE
        points = [(tee.u, tee.y), (side, tee.y), (side, box.y), (box.x + box.width / 2, box.y)]
        self.out.edges.append(Edge(tee.source, box.id, points, "residual"))

    # -- frames

    def _layers(self, part: Part, u: float, cursor: Cursor) -> Cursor:
        """The layers of a stack: some one by one, then each kind once, with how often it stands."""
        scope = self.parts.graph.scopes[part.path]
        if cursor.tails:
            cursor = Cursor(cursor.y + TEE + 9, cursor.tails)
            if self.options.shapes:
                self._shape(shape_text(self.parts.graph, scope.source), u, cursor)
        first = cursor.y
        for index, name in enumerate(scope.order[: self.options.unroll]):
            cursor = self._one_layer(scope, index, name, u, cursor, first)
        order = scope.order[self.options.unroll :]
        for group in groups_of(order, self.parts.blocks(part.path)):
            if len(order) < len(scope.order):
                note(group, f"layers {len(scope.order) - len(order)} to {len(scope.order) - 1}")
            cursor.y += GAP_ABOVE if cursor.y > first else 0
            cursor = self._group(part, group, u, cursor)
        self._beside(min(frame.left for frame in self.out.frames))
        return cursor

    def _shape(self, shape: str, u: float, cursor: Cursor) -> None:
        """A shape beside the stream; in a figure that runs to the right above a longer piece."""
        if self._sideways:
            length = text_width(shape, FONT_SIZES[SMALL]) + 4
            self.out.texts.append(Text(shape, u - 8, cursor.y - 14 + length / 2, SMALL, 0))
            cursor.y += length - 8
        else:
            self.out.texts.append(Text(shape, u - 7, cursor.y - 10, SMALL, -1))

    def _group(self, part: Part, group: Group, u: float, cursor: Cursor) -> Cursor:
        """Kinds of layers above one another, in a frame around them where they repeat together."""
        scope = self.parts.graph.scopes[part.path]
        several = len(self.parts.blocks(part.path)) > 1
        mark = self.out.mark()
        outer = self._open(part.key, part.path, cursor.y) if group.outer is not None else None
        for index, (block, count) in enumerate(group.blocks):
            gap = GAP_ABOVE if outer or index else 0
            inside = self.out.mark()
            frame = self._open(block.path, block.path, cursor.y + gap)
            name = block.name if several else self._stack_name(scope.stack)
            cursor = self._block(block.path, u, Cursor(frame.bottom + 2, cursor.tails))
            words = (name or (outer and count.large)) and not self._sideways
            top = cursor.y + PADDING + (6 if words else 0)
            self._close(frame, inside, top, name, count)
            cursor.y = frame.top
        if outer is not None:
            self._close(outer, mark, cursor.y + GAP_ABOVE, "", group.outer or Count())
            cursor.y = outer.top
        return cursor

    def _one_layer(
        self, scope: Scope, index: int, name: str, u: float, cursor: Cursor, first: float
    ) -> Cursor:
        """A layer with a frame of its own, and ids that hold its number."""
        path = f"{scope.path}.{name}"
        mark = self.out.mark()
        gap = GAP_ABOVE if cursor.y > first else 0
        frame = self._open(path, path, cursor.y + gap)
        cursor = self._block(path, u, Cursor(frame.bottom + 2, cursor.tails))
        several = len(self.parts.blocks(scope.path)) > 1
        said = f"layer {index} · {name}" if several else f"layer {index}"
        self._close(frame, mark, cursor.y + PADDING + 6, said, Count())
        rename(self.out, mark, path, f"{scope.path}.{index}")
        tails = [
            Tail(renamed(t.key, path, f"{scope.path}.{index}"), t.points) for t in cursor.tails
        ]
        return Cursor(frame.top, tails)

    def _stack_name(self, stack: str) -> str:
        return stack if len(self.parts.graph.hidden) > 1 else ""

    def _block(self, path: str, u: float, cursor: Cursor) -> Cursor:
        arrangement = arrange(self.parts, path)
        self._lanes += [lane for lane in arrangement.lanes if lane not in self._lanes]
        open_modules(self.parts, arrangement.column, mirrored=self._mirrored)
        lanes = len(self.out.edges)
        self._tee(arrangement.entry, u, cursor)
        cursor = self._column(arrangement.column, u, cursor)
        even(self.out.edges[lanes:])
        return cursor

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
        room = frame.top - frame.bottom - 20 if self._sideways else -frame.left - 26
        frame.name = shorten(name, FONT_SIZES[NAME], room)
        frame.count = count.said()
        self._frame = frame.parent
        if self._sideways and name:
            frame.left -= 0 if self._mirrored else LINE
            frame.right += LINE if self._mirrored else 0
        if frame.parent and count.large:
            self._corner(frame, count.said())
        else:
            self._outside_of(frame, count)

    def _corner(self, frame: Frame, count: str) -> None:
        """The count of a frame in another, in its upper right corner."""
        x, side = (frame.left + 9, 1) if self._mirrored else (frame.right - 9, -1)
        text = Text(count, x, frame.top - 12, TITLE, side, "count")
        if self._sideways:
            x = frame.right - 12 if self._mirrored else frame.left + 12
            text = Text(count, x, frame.top - 9, TITLE, -1, "count")
        self.out.texts.append(text)

    def _outside_of(self, frame: Frame, count: Count) -> None:
        """The count of a frame, and words about it: beside it, or below in a sideways figure."""
        width = max(COUNT_WIDTH, frame.top - frame.bottom) if self._sideways else COUNT_WIDTH
        small = [s for text in count.small for s in wrap(text, FONT_SIZES[SMALL], width, 3)]
        small = small if len(small) <= COUNT_LINES else [*small[: COUNT_LINES - 1], "…"]
        lines = [(text, SMALL) for text in small]
        lines = [(count.large, COUNT), *lines] if count.large else lines
        x, y = frame.right + 9, (frame.bottom + frame.top) / 2
        if self._sideways:
            x += 5
            for text, role in lines[::-1] if self._mirrored else lines:
                self.out.texts.append(Text(text, x, y, role, 0, "count"))
                x += 17 if role == COUNT else 12
            return
        for text, role in lines:
            self.out.texts.append(Text(text, x, y, role, 1, "count"))
            y -= 17 if role == COUNT else 12

    # -- at the side

    def _sides(self, item: Item, box: Box) -> None:
        """What feeds a part from the side: sums on the lanes' side, boxes on the other."""
        outwards = 1 if box.form == "circle" else -1
        heights = [self._side_height(chain) for chain in item.sides]
        y = box.y - (sum(heights) + SIDE_GAP * (len(heights) - 1)) / 2
        for chain, height in zip(item.sides, heights, strict=True):
            centre = y + height / 2
            near = box.x + outwards * box.width / 2
            far = box.x + outwards * ((ACROSS if self._sideways else BOX_WIDTH) / 2 + 14)
            if chain[0].form == "wave":
                far = min(far, near + outwards * 34, key=abs)
            side = self._chain(chain, far, centre, outwards)
            points = [(far, centre), (near, centre)]
            if abs(centre - box.y) > box.height / 2 - 2:
                points = [(far, centre), (box.x, centre), (box.x, _near(box, centre))]
            self.out.edges.append(Edge(side.id, box.id, points))
            y += height + SIDE_GAP

    def _side_height(self, chain: list[Part]) -> float:
        """The room along the column of what feeds a part from the side."""
        if self._sideways and chain[0].form == "wave":
            return WAVE_WORDS + 4
        return max(size_of(part, SIDE_WIDTH)[1] for part in chain)

    def _chain(self, chain: list[Part], far: float, y: float, outwards: int) -> Box:
        """Parts in a row from u = far outwards, each feeding the one before it; the first."""
        found: list[Box] = []
        for part in chain:
            width, height = size_of(part, side_width(part))
            copies = sum(known.path == part.path for known in self.out.boxes)
            box = self._box(part, far + outwards * width / 2, y, width, height)
            box.id += f".copy.{copies}" if copies else ""
            if found:
                end = found[-1].x + outwards * found[-1].width / 2
                self.out.edges.append(Edge(box.id, found[-1].id, [(far, y), (end, y)]))
            if part.form == "wave":
                self._words(part, far + outwards * (width + 6), y, outwards)
            found.append(box)
            far += outwards * (width + (16 if self._sideways else 22))
        return found[0]

    def _words(self, part: Part, u: float, y: float, anchor: int) -> None:
        lines = wrap(part.title, FONT_SIZES[SMALL], WAVE_WORDS, 3)
        if self._sideways and (anchor > 0) == self._mirrored:  # upwards: the last line is nearest
            lines = lines[::-1]
        for index, line in enumerate(lines):
            if self._sideways:
                across = u + anchor * (5 + 12 * index)
                self.out.texts.append(Text(line, across, y, SMALL, 0))
                continue
            height = y + 6 * (len(lines) - 1) - 12 * index
            self.out.texts.append(Text(line, u, height, SMALL, anchor))

    def _outside(self, part: Part, box: Box) -> None:
        """Remember the tables that feed a box from outside its frame."""
        sources = [source for source in part.outside if source not in self.outputs]
        chains = [chain for source in sources for chain in self.root.chain(source)]
        for index, chain in enumerate(chains):
            y = box.y + (index - (len(chains) - 1) / 2) * (box.height - 14) / max(1, len(chains))
            end = (box.x - box.width / 2, y)
            self._tables.append(Table(chain, y, [(box, [end])]))

    def _beside(self, left: float) -> None:
        """Draw the remembered tables left of u = left; one that feeds several boxes stands once.

        Such a one has a line of its own up and down, between the tables and the frames.
        """
        grouped: dict[str, list[Table]] = {}
        for table in self._tables:
            grouped.setdefault(table.chain[0].key, []).append(table)
        self._tables = []
        busy = sorted(reading.points[0][1] for reading in self.out.readings)
        lowest, heights = float("-inf"), {}
        for key, tables in grouped.items():
            half = max(size_of(p, SIDE_WIDTH)[1] for p in tables[0].chain) / 2 + SIDE_GAP
            heights[key] = _free(max(tables[0].y, lowest + half), half, busy)
            lowest = heights[key] + half - SIDE_GAP
        moved = [key for key, t in grouped.items() if {each.y for each in t} != {heights[key]}]
        far = left - 12 - WIRES * len(moved)
        for key, tables in grouped.items():
            source, y = self._chain(tables[0].chain, far, heights[key], -1), heights[key]
            start = [(far, y)]
            for box, way in (way for table in tables for way in table.ways):
                up = left - 12 - WIRES * moved.index(key) if way[0][1] != y else far
                around = [(up, y), (up, way[0][1])] if way[0][1] != y else []
                self.out.edges.append(Edge(source.id, box.id, [*start, *around, *way], "position"))


def _free(y: float, half: float, busy: list[float]) -> float:
    """The first height from y on at which a table is on no line that passes it."""
    for line in busy:
        if abs(line - y) < half:
            y = line + half
    return y


def _near(box: Box, y: float) -> float:
    """The edge of a box that is nearest to a height outside it."""
    return box.top if y > box.y else box.bottom
