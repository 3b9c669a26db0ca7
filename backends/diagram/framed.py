"""Frames around layers and modules, with names, counts and shapes."""

from __future__ import annotations

from .beside import Beside
from .drawing import COUNT, FONT_SIZES, NAME, SMALL, TITLE, Frame, Text
from .kinds import Count
from .placed import Cursor, Mark
from .sizes import LINE, PADDING
from .text import shorten, text_width, wrap
from .written import written

COUNT_WIDTH, COUNT_LINES = 124.0, 8  # of the words beside a frame


class Framed(Beside):
    """A column that opens and closes frames around placed parts."""

    def _open(self, key: str, path: str, bottom: float) -> Frame:
        frame = Frame(f"{key}.frame", path, 0, bottom, 0, 0, parent=self._frame)
        graph = self.parts.graph
        frame.spec, frame.source = written(graph, graph.scopes[path].origin)
        self.out.frames.append(frame)
        self._frame = frame.id
        return frame

    def _close(self, frame: Frame, mark: Mark, top: float, name: str, count: Count) -> None:
        """Set the size of a frame from its content, and add its count."""
        left, right = self.out.extent(mark)
        frame.left, frame.right = left - PADDING, right + PADDING
        frame.top = max(top, frame.bottom + 3 * PADDING)
        room = frame.top - frame.bottom - 20 if self._sideways else -frame.left - 26
        frame.name = shorten(name, FONT_SIZES[NAME], room)
        frame.count = count.text()
        self._frame = frame.parent
        if self._sideways and name:
            frame.left -= 0 if self._mirrored else LINE
            frame.right += LINE if self._mirrored else 0
        if frame.parent and count.large:
            self._corner(frame, count.text())
        else:
            self._outside_of(frame, count)

    def _corner(self, frame: Frame, count: str) -> None:
        """The count of a nested frame, in its upper right corner."""
        x, side = (frame.left + 9, 1) if self._mirrored else (frame.right - 9, -1)
        text = Text(count, x, frame.top - 12, TITLE, side, "count")
        if self._sideways:
            x = frame.right - 12 if self._mirrored else frame.left + 12
            text = Text(count, x, frame.top - 9, TITLE, -1, "count")
        self.out.texts.append(text)

    def _outside_of(self, frame: Frame, count: Count) -> None:
        """The count of a frame and its notes: at its side, or below it in a horizontal figure."""
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

    def _shape(self, shape: str, u: float, cursor: Cursor) -> None:
        """A shape next to the residual stream, or above it in a horizontal figure."""
        if self._sideways:
            length = text_width(shape, FONT_SIZES[SMALL]) + 4
            self.out.texts.append(Text(shape, u - 8, cursor.y - 14 + length / 2, SMALL, 0))
            cursor.y += length - 8
        else:
            self.out.texts.append(Text(shape, u - 7, cursor.y - 10, SMALL, -1))
