"""Rules 1 and 3 of the language: words as types, and merging of trees."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from .errors import Mark, SpecError, SpecErrors
from .part import BROKEN, COMPONENTS
from .source import Node

# Maps of named elements -> key of an element. `none` removes an element.
NAMED = {
    "blocks": "block",
    "stacks": "stack",
    "heads": "head",
    "overrides": "block",
    "add": "entries",
    "towers": "tower",
}


MOST_VALUES = 60_000
"""Maximum number of values after merging; 256 blocks with 64 options each have 16,384."""


@dataclass
class Reading:
    """State of one `load`: errors so far, files already read, and size limits.

    folder: files outside of it are not opened; None: no files at all
    document: name of the file that is read, in the marks of its values; not of those it extends
    changed: `--set` changes the document
    incomplete: an `extends` failed, so missing values may be in that file
    documents: resolved path -> tree, for files named by `extends`
    stacks: resolved path and stack -> tree, for stacks named by `extends: file#stack`
    characters: total length of all files
    values: number of values after merging levels
    layers: number of layers in all stacks
    replaced: identity of the mark of a value -> the values of inner levels that replaced it, or
        the mapping of another type
    named: identities of the marks of blocks that a pattern or an override names, and of overrides
        that reach a layer
    unnamed: identity of the mark of another block -> its name, it, the pattern of its stack,
        and whether it is named there, but overrides replace it in all layers
    covered: identity of the mark of an override that later ones replace -> it
    """

    folder: Path | None = None
    document: str = ""
    changed: bool = False
    problems: list[SpecError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[SpecError] = field(default_factory=list)
    incomplete: bool = False
    documents: dict[Path, Node | None] = field(default_factory=dict)
    stacks: dict[tuple[Path, str], Node | None] = field(default_factory=dict)
    characters: int = 0
    values: int = 0
    layers: int = 0
    replaced: dict[int, list[Node]] = field(default_factory=dict)
    named: set[int] = field(default_factory=set)
    unnamed: dict[int, tuple[str, Node, Node, bool]] = field(default_factory=dict)
    covered: dict[int, Node] = field(default_factory=dict)

    def problem(self, place: Node | Mark, message: str, replaced: tuple[str, ...] = ()) -> None:
        """Add a problem at this key or location; `replaced` is the path of a replaced value."""
        mark = place.at if isinstance(place, Node) else place
        self.problems.append(SpecError(mark, message, replaced))

    def wrong(self, node: Node, message: str) -> None:
        """Add a problem with this value, which becomes BROKEN to avoid consequential errors."""
        if node.value is not BROKEN:
            self.problems.append(SpecError(node.mark, message))
            node.value = BROKEN

    def stop(self, place: Node | Mark, message: str) -> NoReturn:
        """Raise SpecErrors with this problem and all earlier ones."""
        self.problem(place, message)
        raise SpecErrors(self.problems)

    def count_values(self, node: Node, place: Node) -> None:
        """Add the values of a merged tree to the total; stop above MOST_VALUES."""
        self.values += node.size()
        if self.values > MOST_VALUES:
            self.stop(
                place,
                f"this spec becomes too large: merging its levels gives more than {MOST_VALUES:,} "
                "values",
            )

    def replace(self, outer: Node, inner: Node) -> None:
        """Record that a value, or all values of a mapping, gave way to an inner level."""
        if outer is inner:
            return
        for path, leaf in leaves(outer):
            found: Node | None = inner
            for name in path:
                found = found and found.inside(name)
            self.replaced.setdefault(id(leaf.mark), []).append(found or inner)

    def note(self, mark: Mark, message: str) -> None:
        text = f"{mark}: {message}"
        if text not in self.notes:
            self.notes.append(text)

    def warn(self, mark: Mark, message: str) -> None:
        warning = SpecError(mark, message)
        if warning not in self.warnings:
            self.warnings.append(warning)


def leaves(node: Node) -> list[tuple[tuple[str, ...], Node]]:
    """Every plain value inside, with its path; an empty list is one."""
    found: list[tuple[tuple[str, ...], Node]] = []
    waiting: list[tuple[tuple[str, ...], Node]] = [((), node)]
    while waiting:
        path, node = waiting.pop()
        value = node.value
        if isinstance(value, dict):
            waiting += [((*path, name), value[name]) for name in reversed(value)]
        elif isinstance(value, list) and value:
            last = len(value) - 1
            waiting += [((*path, str(last - i)), one) for i, one in enumerate(reversed(value))]
        else:
            found.append((path, node))
    return found


def expand(key: str, node: Node) -> Node:
    """Rule 1: a word in place of a component means its type. `heads` may be a number, too."""
    if key in COMPONENTS and key != "heads" and isinstance(node.value, str):
        return Node({"type": Node(node.value, node.mark, node.key_mark)}, node.mark, node.key_mark)
    return node


def type_of(key: str, node: Node) -> object:
    """The type of a component, or its default type."""
    kind = node.get("type")
    return COMPONENTS[key].default if kind is None else kind.value


def has_type(key: str, node: Node | None, name: str) -> bool:
    if node is None:
        return False
    found = type_of(key, expand(key, node))
    return isinstance(found, str) and found == name


def merge(key: str, outer: Node, inner: Node, reading: Reading) -> Node:
    """Rule 3: merge mappings key by key; another `type` or other values replace the outer value.

    key: the key of both values, which tells components from named maps
    """
    outer, inner = expand(key, outer), expand(key, inner)
    if not (isinstance(outer.value, dict) and isinstance(inner.value, dict)):
        reading.replace(outer, inner)
        return inner
    if key in COMPONENTS and "type" in inner.value:
        before, after = type_of(key, outer), inner.value["type"]
        if not (isinstance(before, str) and after.is_word(before)):
            _note_dropped(key, outer, inner, reading)
            reading.replace(outer, inner)
            return inner
    merged = dict(outer.value)
    for name, node in inner.items():
        if key in NAMED and node.is_word("none"):
            merged.pop(name, None)
        elif name in merged:
            merged[name] = merge(NAMED.get(key, name), merged[name], node, reading)
        else:
            merged[name] = expand(NAMED.get(key, name), node)
    return Node(merged, inner.mark, inner.key_mark)


def merge_all(key: str, levels: list[Node | None], reading: Reading) -> Node:
    """Merge several levels; later ones override earlier ones."""
    there = [level for level in levels if level is not None]
    merged = there[0]
    for level in there[1:]:
        merged = merge(key, merged, level, reading)
    return merged


def _note_dropped(key: str, outer: Node, inner: Node, reading: Reading) -> None:
    dropped = [name for name in outer.value if name != "type"]
    was, now = type_of(key, outer), type_of(key, inner)
    if dropped and isinstance(was, str) and isinstance(now, str):  # reported elsewhere
        reading.note(
            inner.value["type"].mark,
            f"changing {key} from `{was}` to `{now}` drops its options {', '.join(dropped)}",
        )


def only(node: Node, keys: frozenset[str]) -> Node:
    """The mapping with only these keys."""
    return Node({k: v for k, v in node.items() if k in keys}, node.mark, node.key_mark)


def without_removed(node: Node, key: str = "") -> Node:
    """The tree without elements that are set to `none`."""
    if isinstance(node.value, dict):
        kept = {
            name: without_removed(inner, NAMED.get(key, name))
            for name, inner in node.items()
            if not (key in NAMED and inner.is_word("none"))
        }
        return Node(kept, node.mark, node.key_mark)
    return node
