"""Paths of a spec and the lines where they are written."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from ..spec import Mark, ModelSpec
from ..spec.display import Line
from ..spec.locate import locate, written
from ..spec.source import parse

Path = tuple[str | int, ...]


@lru_cache(maxsize=4096)
def steps(dotted: str) -> Path:
    """`stacks.decoder.input.0` as a tuple; numbers are indices of lists."""
    if not dotted:
        return ()
    return tuple(int(part) if part.isdecimal() else part for part in dotted.split("."))


class Written:
    """Where each path of a spec is written, in the YAML text and in the resolved spec.

    lines     line of the text -> the paths whose key stands there
    until     line of the text -> the last line of the value of the outermost key there
    resolved  path -> its line in the resolved spec
    """

    def __init__(self, spec: ModelSpec, text: str, resolved: Iterable[Line]) -> None:
        self.spec, self.file = spec, spec.source_name
        self.lines: dict[int, set[Path]] = {}
        self.until: dict[int, int] = {}
        self.tree = spec.tree
        self._line: dict[Path, int] = {}  # of each path that is written in the text
        for path, mark in written(self.tree):
            if not path or not self._is_here(mark):
                continue
            self._line[path] = mark.line
            if not self._stands_for_all(path, mark):
                self.lines.setdefault(mark.line, set()).add(path)
                self.until[mark.line] = max(self.until.get(mark.line, 0), mark.end_line)
        extends = extends_mark(text)  # the tree has it no more
        self.extends = set() if extends is None else {extends.line}
        if extends is not None:
            self.lines.setdefault(extends.line, set())
            self.until.setdefault(extends.line, extends.line)
        lines = enumerate(resolved, start=1)
        self.resolved = {line.path: number for number, line in lines if line.path is not None}

    def home(self, path: Path) -> set[int]:
        """The line of a path, or of the innermost part around it that the text has.

        What another file says has the line of `extends`, what a family or a default says that of
        `family` or `stacks`. Empty where the text has no such line.
        """
        place = locate(self.tree, path)
        mark = place.node.at
        if self._stands_for_all(path, mark):
            mark = self._family()
        if mark.file != self.file:
            return set(self.extends)
        return {mark.line} if mark.line and mark.why != "--set" else set()

    def lines_of(self, path: Path) -> set[int]:
        """The line where exactly this path is written; empty for what the text does not say."""
        line = self._line.get(path)
        return set() if line is None else {line}

    def top(self, keys: Iterable[str]) -> set[int]:
        """The lines of keys of the model itself."""
        return {line for key in keys for line in self.lines_of((key,))}

    def _stands_for_all(self, path: Path, mark: Mark) -> bool:
        """Whether a part has only the location of the document, since no line names it."""
        whole = self.tree.at
        return len(path) != 1 and (mark.line, mark.column) == (whole.line, whole.column)

    def _family(self) -> Mark:
        found = self.tree.get("family") or self.tree.get("stacks") or self.tree
        return found.at

    def _is_here(self, mark: Mark) -> bool:
        return mark.line > 0 and not mark.why and mark.file == self.file


def extends_mark(text: str) -> Mark | None:
    """The first `extends` of a YAML text, from its key to the end of its value; None without."""
    tree = parse(text, "", []) if "extends" in text else None
    found = (
        [] if tree is None else [(m.line, m) for p, m in written(tree) if p[-1:] == ("extends",)]
    )
    return min(found)[1] if found else None
