"""Find the node of a path in the resolved tree, and its location."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..records import record
from .errors import Mark
from .source import Node


@record(frozen=True)
class Place:
    """The deepest node on a path, and whether the path was found completely."""

    node: Node
    path: tuple[str | int, ...]
    found: bool

    @property
    def mark(self) -> Mark:
        """The location of the value, or of the mapping that would contain it."""
        return self.node.mark if self.found else self.node.at


def steps(path: str | Sequence[str | int]) -> tuple[str | int, ...]:
    """Split a dotted path such as `stacks.decoder.blocks.block.positions.0`."""
    parts = path.split(".") if isinstance(path, str) else path
    return tuple(int(p) if isinstance(p, str) and p.isdecimal() else p for p in parts)


def locate(tree: Node, path: Sequence[str | int]) -> Place:
    """Follow a path as far as it exists in the tree."""
    node = tree
    walked: list[str | int] = []
    for part in path:
        inner: Node | None = None
        value = node.value
        if type(value) is dict:
            name = part if type(part) is str else str(part)
            inner = value.get(name)
            if inner is None and name[-1:] == "_":
                inner = value.get(name[:-1])
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            inner = value[part]
        if inner is None:
            return Place(node, tuple(walked), False)
        node = inner
        walked.append(part)
    return Place(node, tuple(walked), True)


def written(tree: Node) -> Iterator[tuple[tuple[str | int, ...], Mark]]:
    """Every value of a tree: its path, and its place from the key to the end of the value."""
    waiting: list[tuple[tuple[str | int, ...], Node]] = [((), tree)]
    while waiting:
        path, node = waiting.pop()
        yield path, node.at
        if isinstance(node.value, dict):
            waiting += [((*path, key), inner) for key, inner in node.items()]
        elif isinstance(node.value, list):
            waiting += [((*path, index), inner) for index, inner in enumerate(node.value)]
