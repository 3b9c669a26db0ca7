"""Documents and where they come from: a file, what it extends, and `--set`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from .errors import Mark, SpecError, nearest
from .merge import Reading, merge
from .source import MAX_CHARACTERS, Node, parse

MAX_PATH = 200  # characters of what `extends` says
MAX_CHAIN = 16  # files that extend one another
DOTTED = re.compile(r"(?<!\.)\.(?!\.)")  # the dots of a path, but not those of the range `0..2`
KEY = re.compile(r"[A-Za-z0-9_.\-]{1,64}\Z")


def read_file(path: Path, reading: Reading) -> Node | None:
    """The tree of one file by itself; None, with a problem, when it cannot be read."""
    whole = Mark(str(path), 0, 0)
    most = 4 * MAX_CHARACTERS  # bytes of UTF-8
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        reading.problem(whole, f"cannot be read: {error.strerror or error}")
        return None
    if len(data) > most:
        start = Mark(str(path), 1, 1)
        reading.problem(start, f"a spec is at most {MAX_CHARACTERS:,} characters long")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        message = f"this is not UTF-8 text: byte 0x{data[error.start]:02X}"
        reading.problem(Mark(str(path), line, column), message)
        return None
    return parse(text, str(path), reading.problems)


def read_document(path: Path, reading: Reading, seen: tuple[Path, ...] = ()) -> Node | None:
    """A file on top of everything it extends, as one tree."""
    tree = read_file(path, reading)
    if tree is None:
        return None
    base = tree.value.pop("extends", None)
    if base is None:
        return tree
    target = find(base, path, reading)
    if target is None or circular(base, target, (*seen, path), reading):
        return tree
    parent = read_document(target, reading, (*seen, path))
    if parent is None:
        return tree
    parent.value.pop("name", None)
    return merge("model", parent, tree, reading)


def find(base: Node, path: Path, reading: Reading, file: str | None = None) -> Path | None:
    """The file that `extends` names, or None with a problem: it stays in the spec's folder."""
    name = base.value if file is None else file
    if not isinstance(name, str) or not name or "\0" in name or len(name) > MAX_PATH:
        reading.wrong(base, "`extends` names a file, such as `base.yaml`")
        return None
    if "#" in name:
        reading.wrong(base, "`file#stack` is for a stack; a spec extends a whole file")
        return None
    if reading.folder is None:
        reading.wrong(base, "a text has no folder to look in; `extends` needs `load(path)`")
        return None
    target = path.parent / name
    if not target.resolve().is_relative_to(reading.folder):
        reading.wrong(base, f"`{name}` lies outside of the folder of the spec")
        return None
    if not target.is_file():
        there = sorted(p.name for p in target.parent.glob("*.yaml"))[:200]
        close = nearest(target.name, there)
        hint = f"; did you mean `{close}`?" if close else ""
        reading.wrong(base, f"there is no file `{name}` beside {path.name}{hint}")
        return None
    return target


def circular(base: Node, target: Path, seen: tuple[Path, ...], reading: Reading) -> bool:
    """Does this file come back to one that it was reached from? A problem says the way."""
    resolved = [p.resolve() for p in seen]
    if target.resolve() in resolved:
        way = " -> ".join(p.name for p in (*seen, target))
        reading.wrong(base, f"`extends` goes in a circle: {way}")
        return True
    if len(seen) >= MAX_CHAIN:
        reading.wrong(base, f"at most {MAX_CHAIN} files may extend one another")
        return True
    return False


def apply_sets(tree: Node, sets: Sequence[str], reading: Reading) -> Node:
    """Write one key for each `a.b=value`; the value is YAML."""
    for text in sets:
        node = _set_tree(text, reading)
        if node is not None:
            tree = merge("model", tree, node, reading)
    return tree


def _set_tree(text: str, reading: Reading) -> Node | None:
    dotted, sign, value = text.partition("=")
    whole = Mark("--set", 1, 1, text.splitlines()[0] if text else "").ending(1, len(text) + 1)
    parts = DOTTED.split(dotted)
    if not sign or "\n" in text or not all(KEY.match(p) for p in parts):
        reading.problem(whole, "`--set` takes `key=value`, such as `decoder.layers=6`")
        return None
    found: list[SpecError] = []
    tree = parse(f"v: {value}", "--set", found)
    shift = len(dotted) + 1 - len("v: ")

    def moved(mark: Mark) -> Mark:
        moved = Mark("--set", 1, max(1, mark.column + shift), text, "--set")
        return moved.ending(1, mark.end_column + shift) if mark.end_line else moved

    reading.problems += [SpecError(moved(p.mark), p.message) for p in found]
    if tree is None or tree.get("v") is None:
        return None
    node = _remark(tree.value["v"], moved)
    for part in reversed(parts):
        node = Node({part: node}, node.mark, whole)
        node.value[part].key_mark = Mark("--set", 1, 1, text, "--set").ending(1, len(text) + 1)
    return node


def _remark(node: Node, moved: Callable[[Mark], Mark]) -> Node:
    value = node.value
    if isinstance(value, dict):
        value = {k: _remark(v, moved) for k, v in value.items()}
    elif isinstance(value, list):
        value = [_remark(v, moved) for v in value]
    key_mark = moved(node.key_mark) if node.key_mark else None
    return Node(value, moved(node.mark), key_mark)
