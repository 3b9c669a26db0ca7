"""Read spec files, the files that they extend, and `--set` changes."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from .errors import Mark, SpecError, nearest, printable
from .merge import Reading, merge
from .part import BROKEN
from .source import MAX_CHARACTERS, Node, parse

MAX_PATH = 200  # characters of the value of `extends`
MAX_CHAIN = 16  # files in a chain of `extends`
MOST_FILES = 64  # files that a spec extends in total
MOST_BYTES = 4 * MAX_CHARACTERS  # bytes of one file
MOST_TOGETHER = 4 * MAX_CHARACTERS  # characters of a spec and all files that it extends
DOTTED = re.compile(r"(?<!\.)\.(?!\.)")  # dots of a path, except those of a range `0..2`
KEY = re.compile(r"[A-Za-z0-9_.\-]{1,64}\Z")


def read_file(path: Path, reading: Reading) -> Node | None:
    """The tree of one file, without `extends`; None, with a problem, if it cannot be read."""
    whole = Mark(printable(path), 0, 0)
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        reading.problem(whole, f"cannot be read: {error.strerror or error}")
        return None
    except ValueError:  # a NUL character in the path
        reading.problem(whole, "is not a valid file name")
        return None
    text = decoded(data, printable(path), reading)
    return None if text is None else read_text(text, printable(path), reading)


def decoded(data: bytes, name: str, reading: Reading) -> str | None:
    """The text of UTF-8 bytes, without a byte order mark; None, with a problem, if invalid."""
    if len(data) > MOST_BYTES:
        message = f"a spec can have at most {MAX_CHARACTERS:,} characters"
        reading.problem(Mark(name, 1, 1), message)
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        message = f"this is not UTF-8 text: byte 0x{data[error.start]:02X}"
        begins = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        if begins or data.count(0) > len(data) // 4:
            message += "; the file is UTF-16: save it as UTF-8"
        reading.problem(Mark(name, line, column), message)
        return None


def read_text(text: str, name: str, reading: Reading) -> Node | None:
    """The tree of a text; its length counts towards the limit of all files."""
    reading.characters += len(text)
    if reading.characters > MOST_TOGETHER:
        message = (
            f"a spec and the files it extends can have at most {MOST_TOGETHER:,} "
            "characters in total"
        )
        reading.problem(Mark(name, 1, 1), message)
        return None
    return parse(text, name, reading.problems)


def read_document(path: Path, reading: Reading, seen: tuple[Path, ...] = ()) -> Node | None:
    """The tree of a file named by `extends`, merged with everything that it extends; cached."""
    key = real_path(path)
    if key not in reading.documents:
        if len(reading.documents) >= MOST_FILES:
            reading.problem(
                Mark(printable(path), 1, 1), f"a spec can extend at most {MOST_FILES} files"
            )
            return None
        reading.documents[key] = None  # also while it is being read
        tree = read_file(path, reading)
        reading.documents[key] = tree and extended(tree, path, reading, seen)
    return reading.documents[key]


def extended(tree: Node, path: Path, reading: Reading, seen: tuple[Path, ...] = ()) -> Node | None:
    """A tree merged with everything that it extends; None, with a problem, on failure."""
    base = tree.value.pop("extends", None)
    if base is None:
        return tree
    target = find(base, path, reading)
    if target is None or circular(base, target, (*seen, path), reading):
        return None
    parent = read_document(target, reading, (*seen, path))
    if parent is None:
        return None
    named = {key: node for key, node in parent.items() if key != "name"}
    return merge("model", Node(named, parent.mark, parent.key_mark), tree, reading)


def real_path(path: Path) -> Path:
    """The path without symbolic links; a circular link is unchanged."""
    return Path(os.path.realpath(path))


def find(base: Node, path: Path, reading: Reading, file: str | None = None) -> Path | None:
    """The file named by `extends`; None, with a problem, if it is outside the spec's folder."""
    name = base.value if file is None else file
    if name is BROKEN:
        return None
    if not isinstance(name, str) or not name or "\0" in name or len(name) > MAX_PATH:
        reading.wrong(base, "`extends` must name a file, such as `base.yaml`")
        return None
    if "#" in name:
        reading.wrong(base, "only a stack can extend `file#stack`; a spec extends a whole file")
        return None
    if reading.folder is None:
        reading.wrong(base, "`extends` needs a folder; use `loads(text, folder=…)` or `load(path)`")
        return None
    target = path.parent / name
    if not real_path(target).is_relative_to(reading.folder):
        reading.wrong(base, f"`{name}` is outside the folder of the spec")
        return None
    if not target.is_file():
        reading.wrong(base, _not_found(target, name, path))
        return None
    return target


def _not_found(target: Path, name: str, path: Path) -> str:
    """The message for an `extends` without a file."""
    if target.is_symlink():
        loop = real_path(target).is_symlink()  # a circular link is not resolved
        return f"`{name}` is a symbolic link " + (
            "that leads back to itself" if loop else "to a file that does not exist"
        )
    if target.is_dir():
        return f"`{name}` is a folder; `extends` must name a file"
    try:
        there = sorted(p.name for p in target.parent.glob("*.y*ml") if p.name != path.name)[:200]
    except OSError:
        there = []
    stems = {name.rpartition(".")[0]: name for name in there}
    close = nearest(target.name.removesuffix(target.suffix), stems)
    hint = f"; did you mean `{stems[close]}`?" if close else ""
    return f"there is no file `{name}` beside {printable(path.name)}{hint}"


def circular(base: Node, target: Path, seen: tuple[Path, ...], reading: Reading) -> bool:
    """Whether a chain of `extends` is circular or too long; adds a problem if so."""
    if real_path(target) in [real_path(p) for p in seen]:
        way = " -> ".join(p.name for p in (*seen, target))
        reading.wrong(base, f"`extends` is circular: {way}")
        return True
    if len(seen) >= MAX_CHAIN:
        reading.wrong(base, f"a chain of `extends` can have at most {MAX_CHAIN} files")
        return True
    return False


def apply_sets(tree: Node, sets: Sequence[str], reading: Reading) -> Node:
    """Merge each `a.b=value` into the tree; the value is YAML."""
    for text in sets:
        node = _set_tree(text, reading)
        if node is not None:
            merged = merge("model", tree, node, reading)
            tree = Node(merged.value, tree.mark, tree.key_mark)
    return tree


def _set_tree(text: str, reading: Reading) -> Node | None:
    dotted, sign, value = text.partition("=")
    whole = Mark("--set", 1, 1, text.splitlines()[0] if text else "").ending(1, len(text) + 1)
    parts = DOTTED.split(dotted)
    if not sign or "\n" in text or not all(KEY.match(p) for p in parts):
        meant = re.match(r"\s*([A-Za-z_][\w.\-]*)\s*[:=]\s*(\S.*)?\Z", text)
        hint = f"; write `--set {meant[1]}={meant[2] or '…'}`" if meant else ""
        reading.problem(whole, f"`--set` takes `key=value`, such as `decoder.layers=6`{hint}")
        return None
    if parts[-1] == "extends":
        reading.problem(whole, "`extends` cannot be changed with `--set`; write it in the spec")
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
