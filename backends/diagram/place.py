"""Place the parts of one column along its centre line, with lanes and tables at its sides."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...compiler.graph import Scope
from .arrange import Arrangement, Column, Fork, Item, Lane, Region, arrange
from .beside import SIDE_GAP, Table
from .drawing import SMALL, Box, Edge, Point, Text
from .framed import Framed
from .inside import main_source, open_modules
from .kinds import Count, Group, groups_of, note
from .lanes import even
from .lengths import shape_text
from .options import DrawOptions
from .part import PORTS, Part
from .parts import Parts
from .placed import Cursor, Mark, Placed, Reading, Tail, rename, renamed
from .sizes import (
    ARROW,
    BRANCH,
    CIRCLE,
    ENTRY,
    FAN,
    LANE,
    PADDING,
    TEE,
    frame_lines,
    frame_of,
    indent_of,
    size_of,
    width_of,
)

GAP_ABOVE = PADDING - 3  # between consecutive frames


@dataclass
class Tee:
    """Where a lane leaves the centre line; `stem` is the line below it, if no other part has it."""

    u: float
    y: float
    source: str
    mark: Mark
    stem: list[Point] = field(default_factory=list)


def is_gate(item: Item) -> bool:
    """Whether it is a circle that a line from outside of the frame enters."""
    return item.part.form == "circle" and bool(item.part.outside) and not item.sides


class Placer(Framed):
    """Builds one column. `outputs` are the parts with the stack's hidden states."""

    def __init__(
        self,
        parts: Parts,
        root: Region,
        outputs: frozenset[str],
        options: DrawOptions,
        *,
        mirrored: bool = False,
    ) -> None:
        super().__init__(parts, root, outputs, options, mirrored=mirrored)
        self._fan_step = FAN / 2 if self._sideways else FAN
        self._forks = self._branch = 0
        self._tees: dict[str, Tee] = {}
        self._lanes: list[Lane] = []
        self._crossing: dict[str, list[str]] = {}  # part -> what it reads of other streams
        self._apart: frozenset[str] = frozenset()  # parts that read other streams only

    def place(self, arrangement: Arrangement) -> Placed:
        """The finished column of one stack."""
        self._lanes = list(arrangement.lanes)
        self._open_column(arrangement.column)
        self._column(arrangement.column, 0.0, Cursor())
        self._beside(self.out.extent()[0])
        return self.out

    def _open_column(self, column: Column) -> None:
        open_modules(self.parts, column, mirrored=self._mirrored)

    # -- along the centre line

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
        if part.form == "pill" and len(cursor.tails) > 1:  # all lines enter it from below
            ends = [tail.points[-1][0] for tail in cursor.tails]
            width = max(width, max(ends) - min(ends) + 2 * BRANCH)
        sides = sum(self._side_height(chain) + SIDE_GAP for chain in item.sides)
        row = max(height, sides - SIDE_GAP)
        crossing = self._crossing.get(part.key, [])
        below = [s for s in crossing if s in part.ports.values() or part.key in self._apart]
        own = [p for p in PORTS if part.ports.get(p, "") not in ("", *self.outputs, *crossing)]
        read = [*(source for source in part.outside if source in self.outputs), *below]
        bent = len(cursor.tails) > 1 or len(own) > 1 or bool(read) or self._forks > 0
        bend = cursor.y + (TEE if bent else 0.0)
        entry = bend + (TEE if read else 0.0)
        from_below = bool(read) and part.form == "text" and self._forks > 0
        bottom = entry + (ARROW if cursor.tails or from_below else 0.0) + (row - height) / 2
        box = self._box(part, u, bottom + height / 2, width, height)
        if part.key in self._apart:
            self._leave_to_lanes(cursor.tails)
        elif item.joined:
            self._arrive(box, part, cursor, bend, aside=bool(read))
            if len(own) > 1 and not read:
                self._fan(box, cursor, bend)
        for source in read:
            self._read(box, part, source, entry)
        aside = [source for source in crossing if source not in below]
        end = (box.x - box.width / 2, box.y)
        self.out.readings += [Reading(source, box.id, [end]) for source in aside]
        for lane in self._lanes:
            if lane.end == part.key:
                self._lane(lane, box)
        self._sides(item, box)
        self._outside(part, box)
        return Cursor(bottom + (row + height) / 2, [Tail(box.id, [(u, box.top)])])

    def _opened(self, part: Part, u: float, cursor: Cursor) -> Cursor:
        """An opened module: a frame with its name and content."""
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
        frame.indent = indent_of(part)
        room = height - frame.indent if self._sideways else right if inner.mirrored else left
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
            elif source in self.outputs or source in self._crossing.get(part.key, ()):
                self.out.readings.append(Reading(source, target, points))
            else:
                tables.setdefault(source, []).append((known[target], points))
        for source, ways in tables.items():
            for chain in self.root.chain(source):
                if (state := chain[0].key) in self.outputs:  # of a sum with positions
                    self.out.readings += [Reading(state, box.id, way) for box, way in ways]
                else:
                    self._tables.append(Table(chain, ways[0][1][0][1], ways))
        result = known[self.parts.regions[part.key].result]
        return Cursor(frame.top, [Tail(result.id, [(result.x, result.top)])])

    def _enter(self, box: Box, cursor: Cursor, bend: float, way: list[Point]) -> None:
        """The line to a part of an opened module."""
        for tail in cursor.tails:
            points = list(tail.points)
            if points[-1][0] != way[0][0]:
                points += [(points[-1][0], bend), (way[0][0], bend)]
            self.out.edges.append(Edge(tail.key, box.id, [*points, *way]))

    def _arrive(self, box: Box, part: Part, cursor: Cursor, bend: float, *, aside: bool) -> None:
        """The line into a box; moved aside if another stack also enters."""
        for tail in cursor.tails:
            start = tail.points[-1][0]
            wide = box.form in ("box", "pill") and abs(start - box.x) < box.width / 2 - 12
            port = box.x + self._fan_step if aside else start if wide else box.x
            points = list(tail.points)
            if start != port:
                points += [(start, bend), (port, bend)]
            points.append((port, box.bottom))
            self.out.edges.append(Edge(tail.key, box.id, points))
            if aside and "Q" in part.ports:
                self.out.texts.append(Text("Q", port + 8, box.bottom - 8, SMALL, 0, "flow"))

    def _leave_to_lanes(self, tails: list[Tail]) -> None:
        """The lanes that leave these lines draw them too: they do not lead to the box above."""
        for tail in tails:
            for tee in self._tees.values():
                if tee.source == tail.key:
                    tee.stem = tail.points

    def _fan(self, box: Box, cursor: Cursor, y: float) -> None:
        for tail in cursor.tails[:1]:
            for side in (-1, 1):
                u = box.x + side * self._fan_step
                points = [(box.x, y), (u, y), (u, box.bottom)]
                self.out.edges.append(Edge(tail.key, box.id, points))

    def _read(self, box: Box, part: Part, source: str, y: float) -> None:
        if part.form == "text":
            points = [(box.x - box.width / 2, box.y)]
            if self._forks:  # below the texts to its left
                level = box.bottom - ARROW - TEE * self._branch
                points = [(box.x, level), (box.x, box.bottom)]
            self.out.readings.append(Reading(source, box.id, points))
            return
        ports = [port for port in ("K", "V") if part.ports.get(port) == source] or [""]
        for index, port in enumerate(ports):
            step = index if port else 0 if part.key in self._apart else 1
            u = box.x - step * self._fan_step
            self.out.readings.append(Reading(source, box.id, [(u, y), (u, box.bottom)]))
            if port:
                text = Text(port, u - 8, box.bottom - 8, SMALL, 0, "memory")
                self.out.texts.append(text)

    def _fork(self, fork: Fork, u: float, cursor: Cursor) -> Cursor:
        lanes = {lane.end for lane in self._lanes}
        back = self._mirrored and not cursor.tails  # inputs are drawn in their order
        branches = fork.branches[::-1] if back else fork.branches
        widths = [width_of(branch, lanes) for branch in branches]
        left = u - (sum(widths) + BRANCH * (len(widths) - 1)) / 2
        y = cursor.y + (TEE if cursor.tails else 0.0)
        ends: list[Cursor] = []
        self._forks += 1
        for index, (branch, width) in enumerate(zip(branches, widths, strict=True)):
            self._branch = index
            centre = left + width / 2
            tails = [Tail(t.key, [*t.points, (u, y), (centre, y)]) for t in cursor.tails]
            ends.append(self._column(branch, centre, Cursor(y, tails)))
            left += width + BRANCH
        self._forks -= 1
        self._stagger(branches, ends)
        return Cursor(max(end.y for end in ends), [tail for end in ends for tail in end.tails])

    def _stagger(self, branches: list[Column], ends: list[Cursor]) -> None:
        """Lift circles at the ends of branches, so that the lines to them pass above the others."""
        lasts = [branch[-1] for branch in branches]
        gates = [
            last.part.key if isinstance(last, Item) and is_gate(last) else "" for last in lasts
        ]
        boxes = {box.id: box for box in self.out.boxes}
        level = max(
            boxes[gate].y if gate else end.y + CIRCLE for gate, end in zip(gates, ends, strict=True)
        )
        for gate, end in zip(gates, ends, strict=True):
            if gate:
                self._lift(boxes[gate], end, level - boxes[gate].y)
                level += CIRCLE + TEE

    def _lift(self, box: Box, end: Cursor, by: float) -> None:
        """Move a circle that was placed last, and the ends of its lines."""
        ways = [edge.points for edge in self.out.edges if edge.target == box.id]
        ways += [tail.points for tail in end.tails]
        ways += [way for table in self._tables for to, way in table.ways if to is box]
        for way in ways:
            way[-1] = (way[-1][0], way[-1][1] + by)
        for table in self._tables:
            table.y += by if table.ways[0][0] is box else 0
        box.y += by
        end.y += by

    def _lane(self, lane: Lane, box: Box) -> None:
        """A lane from the tee, around everything placed since then, into the side of a box."""
        tee = self._tees[lane.start]
        reach = [placed.x + placed.width / 2 for placed in self.out.boxes[tee.mark[0] :]]
        reach += [u for edge in self.out.edges[tee.mark[1] :] for u, _ in edge.points]
        reach += [frame.right for frame in self.out.frames[tee.mark[3] :] if frame.right]
        side = max(reach) + LANE
        points = [(tee.u, tee.y), (side, tee.y), (side, box.y), (box.x + box.width / 2, box.y)]
        points = [*tee.stem, *points]
        self.out.edges.append(Edge(tee.source, box.id, points, "residual"))

    # -- frames

    def _layers(self, part: Part, u: float, cursor: Cursor) -> Cursor:
        """The layers of a stack: some separately, then each kind once with its count."""
        scope = self.parts.graph.scopes[part.path]
        if cursor.tails:
            cursor = Cursor(cursor.y + TEE + 9, cursor.tails)
            if self.options.shapes:
                self._shapes(scope, u, cursor)
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

    def _shapes(self, scope: Scope, u: float, cursor: Cursor) -> None:
        """The shape of the hidden states, below the first layer."""
        self._shape(shape_text(self.parts.graph, scope.source), u, cursor)

    def _group(self, part: Part, group: Group, u: float, cursor: Cursor) -> Cursor:
        """Several kinds of layers, in a common frame if they repeat together."""
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
        """A separate layer with its own frame, and ids with its index."""
        path = f"{scope.path}.{name}"
        mark = self.out.mark()
        gap = GAP_ABOVE if cursor.y > first else 0
        frame = self._open(path, path, cursor.y + gap)
        cursor = self._block(path, u, Cursor(frame.bottom + 2, cursor.tails))
        several = len(self.parts.blocks(scope.path)) > 1
        title = f"layer {index} · {name}" if several else f"layer {index}"
        self._close(frame, mark, cursor.y + PADDING + 6, title, Count())
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
        self._open_column(arrangement.column)
        lanes = len(self.out.edges)
        self._tee(arrangement.entry, u, cursor)
        cursor = self._column(arrangement.column, u, cursor)
        even(self.out.edges[lanes:])
        return cursor
