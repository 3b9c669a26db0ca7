"""Parse YAML to a tree of nodes with locations. Safe and bounded.

The tree is built from YAML's event stream, so depth and size are checked before anything is
composed. The language is a subset of YAML 1.2's core schema: mappings with plain keys, lists,
strings, integers, decimal numbers, `true` and `false`. Anchors, aliases, tags, directives,
duplicate keys and `null` are errors; dates, octal numbers and `yes` are strings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

import yaml

from .errors import Mark, SpecError, SpecErrors
from .part import BROKEN

MAX_CHARACTERS = 65_536
MAX_DEPTH = 32
MAX_NODES = 10_000
MAX_DIGITS = 40
NUMBERS: tuple[type, ...] = (bool, int, float)
TOO_DEEP = f"a spec can be nested at most {MAX_DEPTH} levels deep"

# PyYAML may be built without libyaml.
FAST_LOADER: Any = getattr(yaml, "CSafeLoader", None)
# Text that the C parser reads differently from the Python parser.
READ_DIFFERENTLY = re.compile(r"[\t?]")

WORDS = {"true": True, "false": False}
NULLS = ("", "~", "null", "Null", "NULL")
INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
DECIMAL = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?\Z")
LEADING_ZERO = re.compile(r"[-+]?0[0-9]")
# Control characters, surrogates, invisible characters, and bidirectional controls.
FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)
_COLON_EXPECTED = "expected `:` after this key"
_NO_SPACE = "add a space after `:`"
YAML_SAYS = (  # messages of the YAML scanner -> our messages
    (r"found character '\\t' that", "a tab is not allowed here; indent with spaces"),
    (r"found character '(.+)' that cannot", r"a word cannot begin with `\1`; quote it"),
    (r"mapping values are not allowed", "`: ` is not allowed here; quote a text that "
        "contains `: `"),
    (r"could not find expected ':'", _COLON_EXPECTED),
    (r"expected <block end>", "this line is not indented like the lines above it"),
    (r"expected ',' or '}'", "expected `,` or `}`; is a `{` above never closed?"),
    (r"expected ',' or ']'", "expected `,` or `]`; is a `[` above never closed?"),
    (r"unexpected end of stream", "the text ends inside quotes"),
    (r"unknown escape character", "unknown escape sequence; use single quotes"),
    (r"expected alphabetic or numeric", "a word cannot begin with `&` or `*`; quote it"),
    (r"expected the node content", "expected a value"),
    (r"expected '<document start>'", "a spec must be a single YAML document, a mapping "
        "`key: value`"),
)  # fmt: skip


@dataclass
class Node:
    """A value (`dict[str, Node]`, `list[Node]` or a scalar), with its location and its key's."""

    value: Any
    mark: Mark
    key_mark: Mark | None = None

    @property
    def at(self) -> Mark:
        """The location of the node: that of its key, if it has one."""
        return self.key_mark or self.mark

    def get(self, key: str) -> Node | None:
        return self.value.get(key) if isinstance(self.value, dict) else None

    def inside(self, key: str) -> Node | None:
        """The value at a key of a mapping, or at an index of a list."""
        if isinstance(self.value, list) and key.isdecimal():
            return self.value[int(key)] if int(key) < len(self.value) else None
        return self.get(key)

    def items(self) -> Iterator[tuple[str, Node]]:
        return iter(list(self.value.items()) if isinstance(self.value, dict) else ())

    def is_word(self, word: str) -> bool:
        return isinstance(self.value, str) and self.value == word

    def size(self) -> int:
        """Number of values in this tree; long strings count as several."""
        if isinstance(self.value, (dict, list)):
            nodes: Iterable[Node] = (
                self.value.values() if isinstance(self.value, dict) else self.value
            )
            return 1 + sum(node.size() for node in nodes)
        return 1 + len(self.value) // 16 if isinstance(self.value, str) else 1

    def plain(self) -> Any:
        """The data without locations, as new dicts and lists."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def from_data(data: object, mark: Mark, depth: int = 1) -> Node:
    """Plain Python data as a tree whose nodes have the place `mark`, each a copy of its own.

    Raises SpecErrors for data that is nested too deeply, such as a dict that contains itself.
    """
    own = mark.ending(mark.end_line, mark.end_column)
    if depth > MAX_DEPTH + 1:
        raise SpecErrors([SpecError(own, TOO_DEEP)])
    if isinstance(data, Real) and type(data) not in NUMBERS:  # such as NumPy's
        data = int(data) if isinstance(data, Integral) else float(data)
    if isinstance(data, dict):
        items = ((str(key), from_data(value, mark, depth + 1)) for key, value in data.items())
        return Node(dict(items), own, own)
    if isinstance(data, (list, tuple)):
        return Node([from_data(value, mark, depth + 1) for value in data], own, own)
    return Node(_whole(data) if isinstance(data, float) else data, own, own)


def _whole(number: float) -> int | float:
    """Convert a float with an integer value to int, so that `1e3` equals 1000."""
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def parse(text: str, file: str, problems: list[SpecError]) -> Node | None:
    """The tree of a text; None if it cannot be parsed at all.

    Problems are appended to `problems`; values with a problem are `BROKEN`.

    PyYAML's C parser is ten times as fast as its Python parser, but has other error messages and
    locations. If it finds an error, the Python parser reads the text again.
    """
    if len(text) > MAX_CHARACTERS:
        message = f"a spec can have at most {MAX_CHARACTERS:,} characters, not {len(text):,}"
        problems.append(SpecError(Mark(file, 1, 1), message))
        return None
    if bad := FORBIDDEN.search(text):
        message = f"the character U+{ord(bad[0]):04X} is not allowed in a spec"
        problems.append(SpecError(_Builder(text, file, []).at_index(bad.start()), message))
        return None
    if FAST_LOADER is not None and not READ_DIFFERENTLY.search(text):
        found: list[SpecError] = []
        root = _tree(text, file, found, FAST_LOADER)
        if not found:
            return root
    return _tree(text, file, problems, yaml.SafeLoader)


def _tree(text: str, file: str, problems: list[SpecError], loader: Any) -> Node | None:
    builder = _Builder(text, file, problems)
    try:
        for event in yaml.parse(text, Loader=loader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        problems.append(builder.from_yaml(error))
        return None
    except SpecErrors as error:
        problems.extend(error.problems)
        return None
    root = builder.root
    if root is None or root.value is None:
        message = "the file is empty; start it with `name: …`"
        problems.append(SpecError(Mark(file, 1, 1), message))
        return None
    if not isinstance(root.value, dict):
        if not problems:
            kind = "a list" if isinstance(root.value, list) else "a single value"
            message = f"a spec must be a mapping (`name: …` and so on), not {kind}"
            problems.append(SpecError(root.mark, message))
        return None
    return root


def _about_key(line: str) -> str:
    """The message for a line without a key and value."""
    found = re.match(r"\s*([\w.-]+)\s*(.)", line)
    if found and found[2] == ":":
        after = line[found.end() : found.end() + 1]
        if after and not after.isascii() and after.isspace():
            return f"{_NO_SPACE}; this is another space character (U+{ord(after):04X})"
        return f"{_NO_SPACE}; write `{found[1]}: …`"
    if found and found[2] in "=：":
        return f"`{found[2]}` cannot separate a key and its value; write `{found[1]}: …`"
    return _COLON_EXPECTED


def _in_our_words(error: yaml.MarkedYAMLError) -> str:
    problem = f"{error.problem or ''}"
    for pattern, words in YAML_SAYS:
        if match := re.search(pattern, problem):
            return match.expand(words)
    return f"this is not YAML: {problem}"


@dataclass
class _Frame:
    """A collection being built."""

    node: Node
    flow: bool
    key: tuple[str, Mark] | None = None  # a key whose value follows
    torn: list[str] = field(default_factory=list)  # pieces of a formula that was split at commas
    torn_mark: Mark | None = None
    swallow: bool = False  # the empty value after the last piece


class _Builder:
    """Events -> nodes, with an explicit stack."""

    def __init__(self, text: str, file: str, problems: list[SpecError]) -> None:
        self.text, self.file, self.problems = text, file, problems
        self.lines = text.splitlines()
        self.frames: list[_Frame] = []
        self.root: Node | None = None
        self.end = (1, 1)  # line and column after the last token
        self.count = 0
        self.documents = 0

    def at(self, mark: Any) -> Mark:
        line = self.lines[mark.line] if mark.line < len(self.lines) else ""
        return Mark(self.file, mark.line + 1, mark.column + 1, line)

    def at_index(self, index: int) -> Mark:
        before = self.text[:index].splitlines(keepends=True) or [""]
        fresh = before[-1].endswith(("\n", "\r"))
        line = len(before) + fresh
        column = 1 if fresh else len(before[-1]) + 1
        shown = self.lines[line - 1] if line <= len(self.lines) else ""
        return Mark(self.file, line, column, FORBIDDEN.sub("�", shown))

    def from_yaml(self, error: yaml.MarkedYAMLError) -> SpecError:
        """Translate an error of the YAML scanner; an unclosed bracket is located at its start."""
        start, end = error.context_mark, error.problem_mark
        if start is not None and end is not None and end.index >= len(self.text.rstrip()):
            sign = self.at(start).text[start.column : start.column + 1]
            if sign and sign in "{['\"":
                return SpecError(self.at(start), f"this `{sign}` is never closed")
        mark, words = self.at(end or start), _in_our_words(error)
        if start is not None and end is not None and start.line < end.line:
            words = words.replace("above never", f"of line {start.line + 1} never")
        if start is not None and words == _COLON_EXPECTED:
            place = self.start_of(self.at(start))
            return SpecError(place, _about_key(place.text))
        first = mark.text[: mark.column - 1]
        if words.startswith("`: `") and re.fullmatch(r" +[\w.-]+", first):
            return SpecError(self.start_of(mark), "this line is indented deeper than the one above")
        return SpecError(mark, words)

    def start_of(self, mark: Mark) -> Mark:
        """Location of the first word of the line."""
        return mark.moved(len(mark.text) - len(mark.text.lstrip()) - mark.column + 1)

    def problem(self, mark: Mark, message: str) -> None:
        self.problems.append(SpecError(mark, message))

    def stop(self, mark: Mark, message: str) -> SpecErrors:
        return SpecErrors([SpecError(mark, message)])

    def take(self, event: yaml.Event) -> None:
        mark = self.at(event.start_mark)
        if isinstance(event, yaml.DocumentStartEvent):
            self.start_document(event, mark)
        elif isinstance(event, yaml.AliasEvent):
            self.problem(mark, _NO_ALIASES)
            self.read_to(event.end_mark)
            self.place(Node(BROKEN, mark))
        elif isinstance(event, yaml.NodeEvent):
            self.take_node(event, mark)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            frame = self.frames.pop()
            if frame.flow:
                self.read_to(event.end_mark)
            self.finish(frame.node)
            if frame.torn_mark is not None:
                self.problem(frame.torn_mark, "a parenthesis in this formula is never closed")

    def read_to(self, mark: Any) -> None:
        """Record the end of a value; a block scalar ends at its last non-empty line."""
        line, column = mark.line, mark.column
        while column == 0 and line > 0:
            line -= 1
            column = len(self.lines[line].rstrip()) if line < len(self.lines) else 0
        self.end = (line + 1, column + 1)

    def finish(self, node: Node) -> None:
        """Finish a value and its key."""
        node.mark = node.mark.ending(*self.end)
        if node.key_mark is not None:
            node.key_mark = node.key_mark.ending(*self.end)

    def start_document(self, event: yaml.DocumentStartEvent, mark: Mark) -> None:
        self.documents += 1
        if self.documents > 1:
            raise self.stop(mark, "a spec must be a single YAML document; a second one begins here")
        if event.version or event.tags:
            self.problem(mark, "YAML directives (`%…`) are not allowed in specs")

    def take_node(self, event: yaml.NodeEvent, mark: Mark) -> None:
        self.count += 1
        if self.count > MAX_NODES:
            raise self.stop(mark, f"a spec can have at most {MAX_NODES:,} values")
        if event.anchor is not None:
            self.problem(mark, _NO_ALIASES)
        if tagged := getattr(event, "tag", None) is not None:
            self.problem(
                mark, "YAML tags are not allowed in specs; quote a word that begins with `!`"
            )
        if isinstance(event, yaml.ScalarEvent):
            self.read_to(event.end_mark)
            self.take_scalar(event, mark)
            return
        if len(self.frames) >= MAX_DEPTH:
            raise self.stop(mark, TOO_DEEP)
        if self.frames and self.waits_for_key():
            raise self.stop(mark, "a key must be a word, not a list or a mapping")
        is_map = isinstance(event, yaml.MappingStartEvent)
        node = Node({} if is_map else [], mark)
        self.place(Node(BROKEN, mark) if tagged else node)
        self.frames.append(_Frame(node, bool(getattr(event, "flow_style", False))))

    def waits_for_key(self) -> bool:
        frame = self.frames[-1]
        return isinstance(frame.node.value, dict) and frame.key is None

    def take_scalar(self, event: yaml.ScalarEvent, mark: Mark) -> None:
        plain = not event.style
        if self.frames and self.frames[-1].flow and plain and self.is_torn(event.value, mark):
            return
        if bad := FORBIDDEN.search(event.value):
            self.problem(mark, f"the character U+{ord(bad[0]):04X} is not allowed in a spec")
            event.value = FORBIDDEN.sub("", event.value)
        if self.frames and self.waits_for_key():
            self.take_key(event.value, mark)
        elif not self.frames and plain and event.value == "":
            self.root = Node(None, mark)
        else:
            self.place(Node(self.scalar(event.value, mark) if plain else event.value, mark))

    def is_torn(self, value: str, mark: Mark) -> bool:
        """In { } or [ ], YAML splits `window(2, 2)` at the comma: join the pieces and report it."""
        frame = self.frames[-1]
        if frame.swallow:
            frame.swallow = False
            if value == "":
                return True
        if frame.torn_mark is None:
            if value.count("(") <= value.count(")") or self.waits_for_key():
                return False
            frame.torn, frame.torn_mark = [value], mark
            self.place(Node(BROKEN, mark))
            return True
        if value:
            frame.torn.append(value)
            formula = ", ".join(frame.torn)
            if formula.count("(") <= formula.count(")"):
                message = (
                    f'a formula with a comma inside {{ }} or [ ] must be quoted; write "{formula}"'
                )
                self.problem(frame.torn_mark, message)
                frame.torn_mark, frame.swallow = None, isinstance(frame.node.value, dict)
        return True

    def take_key(self, key: str, mark: Mark) -> None:
        frame = self.frames[-1]
        if key == "<<":
            self.problem(mark, "`<<` is not allowed in specs; use levels or `extends`")
        elif key in frame.node.value:
            first = frame.node.value[key].at.line
            self.problem(mark, f"duplicate key `{key}` (first on line {first})")
        frame.key = (key, mark)

    def place(self, node: Node) -> None:
        frame = self.frames[-1] if self.frames else None
        key = None
        if frame is not None and isinstance(frame.node.value, dict) and frame.key is not None:
            (key, node.key_mark), frame.key = frame.key, None
        self.finish(node)
        if frame is None:
            self.root = node
        elif isinstance(frame.node.value, list):
            frame.node.value.append(node)
        elif key is not None and key != "<<":
            frame.node.value.setdefault(key, node)

    def scalar(self, text: str, mark: Mark) -> Any:
        """A plain scalar by YAML 1.2's core rules, without null."""
        if text in WORDS:
            return WORDS[text]
        if text == "" and self.frames and self.frames[-1].key is not None:
            key, place = self.frames[-1].key
            if found := re.match(r"([\w.-]+):(?=\S)", key):
                shown = place.moved(len(found[0]))
                self.problem(shown, f"{_NO_SPACE}; write `{found[1]}: {key[found.end() :]}`")
                self.frames[-1].key = (found[1], place)
                return BROKEN
        if text in NULLS:
            self.problem(mark, "a value is missing; to switch something off, write `none`")
            return BROKEN
        if not DECIMAL.match(text) or LEADING_ZERO.match(text):
            return text
        if len(text) > MAX_DIGITS:
            self.problem(
                mark, f"a number can have at most {MAX_DIGITS} characters, not {len(text):,}"
            )
            return BROKEN
        if INTEGER.match(text):
            return int(text)
        number = float(text)
        if number in (float("inf"), float("-inf")):
            self.problem(mark, f"the number `{text}` is too large")
            return BROKEN
        return _whole(number)


_NO_ALIASES = (
    "YAML anchors and aliases are not allowed in specs; quote a word that begins with & or *"
)
