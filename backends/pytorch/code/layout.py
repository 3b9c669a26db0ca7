"""Line breaks in emitted files: at most 100 columns, formatted as by ruff.

Lines break at brackets, operators and method calls. Decisions depend only on the pieces of a line
and their widths.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from .nodes import (
    NOWHERE,
    Adjacent,
    Argument,
    Binary,
    Bracketed,
    Call,
    Choice,
    Dictionary,
    Dot,
    Expr,
    Format,
    Generator,
    Index,
    Literal,
    Name,
    Node,
    Origins,
    Pair,
    Slice,
    Unary,
    origins_in,
    walk,
)
from .nodes import Sequence as Items

WIDTH = 100

ATOM, POWER, UNARY, PRODUCT, SUM, BITAND, BITOR, COMPARE, NOT, AND, OR, CHOICE = range(12, 0, -1)
BINDING = {
    "**": POWER,
    **dict.fromkeys(("*", "/", "//", "%", "@"), PRODUCT),
    **dict.fromkeys(("+", "-"), SUM),
    "&": BITAND,
    "|": BITOR,
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">=", "is", "is not", "in", "not in"), COMPARE),
    "and": AND,
    "or": OR,
}
UNARIES = {"-": UNARY, "~": UNARY, "not ": NOT}
BREAKS = ((" ",), ("or",), ("and",), ("==",), ("|",), ("&",), ("+", "-"), ("*", "/"))
"""Operators at which a long expression breaks, by increasing precedence."""


def binding(e: Any) -> int:
    """Precedence of an expression."""
    kind = type(e)
    if kind is Literal and not isinstance(e.value, (str, tuple)) and e.text[:1] == "-":
        return UNARY
    if kind is Binary:
        return BINDING[e.sign]
    if kind is Unary:
        return UNARIES[e.sign]
    return CHOICE if kind is Choice else ATOM


# -- on one line


def flat(e: Any, want: int = 0) -> str:
    """An expression on one line, in parentheses if its precedence is too low."""
    text = FLAT[type(e)](e)
    return f"({text})" if want > CHOICE and binding(e) < want else text


def _binary(e: Binary) -> str:
    bind = BINDING[e.sign]
    if e.sign == "**":  # no spaces around ** of simple operands
        sign = "**" if _simple(e.left) and _simple(e.right) else " ** "
        return f"{flat(e.left, bind + 1)}{sign}{flat(e.right, UNARY)}"
    return f"{flat(e.left, bind)} {e.sign} {flat(e.right, bind + 1)}"


def _simple(e: Any) -> bool:
    while type(e) in (Dot, Unary):
        e = e.of
    return type(e) in (Name, Literal)


def _index(e: Index) -> str:
    return f"{flat(e.of, ATOM)}[{', '.join(_keys(e.keys))}]"


def _keys(keys: Sequence[Any]) -> list[str]:
    """Keys of an index; slices with compound ends have spaces around the colon."""
    ends = [end for key in keys if type(key) is Slice for end in (key.start, key.stop) if end]
    wide = any(not _short(end) for end in ends)
    return [_slice(key, wide) if type(key) is Slice else flat(key) for key in keys]


def _short(e: Any) -> bool:
    return type(e) in (Name, Literal) or (type(e) is Unary and type(e.of) in (Name, Literal))


def _slice(e: Slice, wide: bool = False) -> str:
    start, stop = (flat(end) if end is not None else "" for end in (e.start, e.stop))
    before, after = (" " if wide and end else "" for end in (start, stop))
    return f"{start}{before}:{after}{stop}" + (f":{flat(e.step)}" if e.step is not None else "")


def _sequence(e: Items) -> str:
    comma = "," if len(e.items) == 1 and e.brackets in ("", "()") else ""
    inner = ", ".join([flat(item) for item in e.items]) + comma
    return f"{e.brackets[:1]}{inner}{e.brackets[1:]}"


def _format(e: Format) -> str:
    parts = [_escaped(part) if isinstance(part, str) else f"{{{flat(part)}}}" for part in e.parts]
    return 'f"' + "".join(parts) + '"'


def _escaped(text: str) -> str:
    """A literal part of an f-string, escaped."""
    doubled = "".join(letter * 2 if letter in "{}" else letter for letter in text)
    return json.dumps(doubled, ensure_ascii=False)[1:-1]


def _generator(e: Generator) -> str:
    test = f" if {flat(e.test)}" if e.test is not None else ""
    text = f"{flat(e.value)} for {flat(e.target)} in {flat(e.over)}{test}"
    return f"{e.brackets[:1]}{text}{e.brackets[1:]}"


def _owner(e: Any) -> str:
    """The expression before a dot; a number needs parentheses."""
    number = type(e) is Literal and not isinstance(e.value, str)
    return f"({flat(e)})" if number else flat(e, ATOM)


def _argument(e: Argument) -> str:
    return f"{e.stars}{e.name}{'=' if e.name else ''}{flat(e.value)}"


FLAT: dict[type[Any], Callable[[Any], str]] = {
    Name: lambda e: e.id,
    Literal: lambda e: e.text,
    Dot: lambda e: f"{_owner(e.of)}.{e.name}",
    Argument: _argument,
    Call: lambda e: f"{flat(e.of, ATOM)}({', '.join([_argument(a) for a in e.arguments])})",
    Binary: _binary,
    Unary: lambda e: f"{e.sign}{flat(e.of, UNARIES[e.sign])}",
    Bracketed: lambda e: f"({flat(e.of)})",
    Choice: lambda e: f"{flat(e.then, OR)} if {flat(e.test, OR)} else {flat(e.other, CHOICE)}",
    Items: _sequence,
    Pair: lambda e: f"{flat(e.key)}: {flat(e.value)}",
    Dictionary: lambda e: f"{{{', '.join([flat(pair) for pair in e.items])}}}",
    Index: _index,
    Slice: _slice,
    Format: _format,
    Adjacent: lambda e: " ".join([flat(item) for item in e.items]),
    Generator: _generator,
}


# -- in pieces


class Piece(NamedTuple):
    """A part of a line outside of all brackets, or a pair of brackets with its content."""

    text: str
    nodes: tuple[Any, ...] = ()  # the content, separated by commas
    brackets: str = ""
    sign: str = ""  # the piece is an operator
    word: str = ""  # or the `if` or `else` of a conditional expression
    dot: bool = False  # or `.name`
    origins: Origins = NOWHERE

    @property
    def all_origins(self) -> Origins:
        return self.origins | origins_in(*self.nodes) if self.nodes else self.origins


class Printed(NamedTuple):
    """A line of the file and its origins (for source maps).

    own     origins of the line itself
    nodes   trees printed on it, whose origins belong to the line too
    around  origins of the enclosing node, for lines without any
    """

    text: str
    own: Origins = NOWHERE
    nodes: tuple[Any, ...] = ()
    around: Origins = NOWHERE

    @property
    def origins(self) -> Origins:
        """Origins of the line."""
        return self.own | origins_in(*self.nodes) or self.around


def pieces(e: Any, want: int = 0) -> list[Piece]:
    if want > CHOICE and binding(e) < want:
        return [Piece(f"({flat(e)})", (e,), "()", origins=e.origins)]
    kind = type(e)
    if kind is Binary and e.sign == "**":
        left, right = pieces(e.left, POWER + 1), pieces(e.right, UNARY)
        close = _simple(e.left) and _simple(e.right)
        return [*left, Piece("**" if close else " ** ", origins=e.origins), *right]
    if kind is Binary:
        bind = BINDING[e.sign]
        sign = Piece(f" {e.sign} ", sign=e.sign, origins=e.origins)
        return [*pieces(e.left, bind), sign, *pieces(e.right, bind + 1)]
    if kind is Dot:
        return [*pieces(e.of, ATOM), Piece(f".{e.name}", dot=True, origins=e.origins)]
    if kind is Call:
        inner = ", ".join([_argument(a) for a in e.arguments])
        return [*pieces(e.of, ATOM), Piece(f"({inner})", e.arguments, "()", origins=e.origins)]
    if kind is Index:
        inner = ", ".join(_keys(e.keys))
        return [*pieces(e.of, ATOM), Piece(f"[{inner}]", e.keys, "[]", origins=e.origins)]
    if kind is Choice:
        words = (Piece(f" {word} ", word=word, origins=e.origins) for word in ("if", "else"))
        then, test, other = pieces(e.then, OR), pieces(e.test, OR), pieces(e.other, CHOICE)
        return [*then, next(words), *test, next(words), *other]
    return _other_pieces(e)


def _other_pieces(e: Any) -> list[Piece]:
    kind = type(e)
    if kind is Argument:
        label = f"{e.stars}{e.name}{'=' if e.name else ''}"
        return [*([Piece(label)] if label else []), *pieces(e.value)]
    if kind is Pair:
        return [Piece(f"{flat(e.key)}: "), *pieces(e.value)]
    if kind is Bracketed:
        return [Piece(flat(e), (e.of,), "()", origins=e.origins)]
    if kind is Unary:
        return [Piece(e.sign, origins=e.origins), *pieces(e.of, UNARIES[e.sign])]
    if kind is Dictionary or (kind is Items and e.brackets):
        brackets = "{}" if kind is Dictionary else e.brackets
        return [Piece(flat(e), e.items, brackets, origins=e.origins)]
    if kind is Generator and e.brackets:
        inside = Generator(e.value, e.target, e.over, e.test, origins=e.origins)
        return [Piece(flat(e), (inside,), e.brackets, origins=e.origins)]
    if kind is Generator:
        over = [Piece(f" for {flat(e.target)} in "), *pieces(e.over)]
        test = [] if e.test is None else [Piece(" if ", word="if"), *pieces(e.test)]
        return [*pieces(e.value), *over, *test]
    if kind in (Items, Adjacent):
        between = Piece(", ") if kind is Items else Piece(" ", sign=" ")
        found: list[Piece] = []
        for item in e.items:
            found += [*([between] if found else []), *pieces(item)]
        comma = [Piece(",")] if kind is Items and len(e.items) == 1 else []
        return found + comma
    return [Piece(flat(e), origins=origins_in(e) if isinstance(e, Node) else NOWHERE)]


class Line(NamedTuple):
    """A statement to lay out: the text before its value, the value, the text after it.

    lead  "name" for `name = value`, "names" for `a, b = value`, "dotted" for `a.b = value`,
          "return", or "" for all others
    """

    head: list[Piece]
    value: list[Piece]
    end: str = ""
    lead: str = ""

    @property
    def all(self) -> list[Piece]:
        return [*self.head, *self.value, *([Piece(self.end)] if self.end else [])]


def text_of(found: Iterable[Piece]) -> str:
    return "".join([piece.text for piece in found])


def origins_of(found: Iterable[Piece]) -> Origins:
    return NOWHERE.union(*[piece.all_origins for piece in found])


def wrap(line: Line, indent: int, note: str = "") -> list[Printed]:
    """One statement as lines.

    The note follows the last line, or precedes a statement that fits on one line without it.
    """
    margin, tail = " " * indent, f"  # {note}" if note else ""
    found = line.all
    text, origins = margin + text_of(found), origins_of(found)
    if len(text + tail) <= WIDTH:
        return [Printed(text + tail, origins)]
    split = _split(found)
    if note and len(text) <= WIDTH:
        if split is None or line.lead in ("name", "names", "dotted"):
            return [Printed(f"{margin}# {note}", origins), Printed(text, origins)]
        if line.lead == "return":
            return [Printed(text, origins)]
    if _in_brackets(line, split, indent):
        opening = Printed(f"{margin}{text_of(line.head)}(", origins_of(line.head))
        return [opening, *_broken(line.value, indent + 4), Printed(f"{margin}){line.end}{tail}")]
    chosen = line.lead and any(piece.word == "else" for piece in line.value)
    if chosen or split is None or len(margin + text_of(split[0])) + 1 > WIDTH:
        return _bracketed(line, indent, tail)
    head, group, rest = split
    first = f"{margin}{text_of(head)}{group.brackets[0]}"
    opened = Printed(first, origins_of(head) | group.origins)
    closed = Printed(f"{margin}{group.brackets[1]}{text_of(rest)}{tail}", origins_of(rest))
    return [opened, *_inside(group, indent), closed]


def _inside(group: Piece, indent: int) -> list[Printed]:
    """The content of brackets: on one line if it fits, else one part per line."""
    inner = " " * (indent + 4) + group.text[1:-1]
    if len(inner) <= WIDTH and group.brackets != "{}":
        return [Printed(inner, group.all_origins)]
    comma = "," if len(group.nodes) > 1 else ""
    return [line for node in group.nodes for line in _broken(pieces(node), indent + 4, comma)]


def _split(found: list[Piece]) -> tuple[list[Piece], Piece, list[Piece]] | None:
    """Split at the last non-empty brackets: before, brackets, after."""
    for place in range(len(found) - 1, -1, -1):
        if found[place].nodes:
            return found[:place], found[place], found[place + 1 :]
    return None


def _terms(found: list[Piece]) -> list[list[Piece]]:
    """Split at the operators of lowest precedence; each term but the first begins with one."""
    signs = {piece.sign for piece in found}
    for group in BREAKS:
        if signs.isdisjoint(group):
            continue
        terms: list[list[Piece]] = [[]]
        for piece in found:
            if piece.sign in group:
                terms.append([piece._replace(text=f"{piece.sign} ".lstrip(), sign="")])
            else:
                terms[-1].append(piece)
        return terms
    return [found]


def _calls(found: list[Piece]) -> list[list[Piece]]:
    """Split before each method that is called on the result of a call."""
    calls: list[list[Piece]] = [[]]
    for before, piece in zip([None, *found], found, strict=False):
        if before is not None and before.brackets == "()" and piece.dot:
            calls.append([])
        calls[-1].append(piece)
    return calls


def _broken(found: list[Piece], indent: int, end: str = "") -> list[Printed]:
    """An expression in brackets: on one line, or broken at operators of lowest precedence first."""
    text = " " * indent + text_of(found) + end
    if len(text) <= WIDTH:
        return [Printed(text, origins_of(found))]
    parts = _terms(found)
    if len(parts) == 1:
        parts = _calls(found)
        lines = wrap(Line([], found, end), indent)
        if len(parts) == 1 or max(len(line.text) for line in lines) <= WIDTH:
            return lines
    *first, last = parts
    lines = [line for part in first for line in _broken(part, indent)]
    return [*lines, *_broken(last, indent, end)]


def _in_brackets(
    line: Line, split: tuple[list[Piece], Piece, list[Piece]] | None, indent: int
) -> bool:
    """Whether a long value is put into parentheses, to break at its operators or methods."""
    if line.lead not in ("name", "names", "return", "test") or any(
        _chooses(piece) for piece in line.value
    ):
        return False
    terms = _terms(line.value)
    opening = 0 if split is None else indent + len(text_of(split[0])) + 1
    if line.lead == "names":
        return len(terms) == 1 and opening > WIDTH
    if len(terms) > 1:
        bracketed = line.value[-1].brackets == "()" and split is not None and opening <= WIDTH
        return not (len(terms) == 2 and bracketed)
    if opening > WIDTH:
        return True
    fits = indent + len(text_of(line.value)) + 4 <= WIDTH
    return opening + 4 > WIDTH - 20 and fits and _has_methods(line.value)


def _chooses(piece: Piece) -> bool:
    if piece.word:
        return True
    return any(
        type(node) is Choice or (type(node) is Generator and node.test is not None)
        for node in walk(*piece.nodes)
    )


def _has_methods(found: list[Piece]) -> bool:
    """Whether the expression contains an attribute of the result of a call."""
    if len(_calls(found)) > 1:
        return True
    return any(
        type(node) is Dot and (type(node.of) is Call or binding(node.of) < ATOM)
        for piece in found
        for node in walk(*piece.nodes)
    )


def _bracketed(line: Line, indent: int, tail: str) -> list[Printed]:
    """`name = (…)` for a value without brackets, such as a conditional expression."""
    margin = " " * indent
    if not line.lead:
        return [Printed(margin + text_of(line.all) + tail, origins_of(line.all))]
    parts: list[list[Piece]] = [[]]
    for piece in line.value:
        if piece.word:
            parts.append([piece._replace(text=f"{piece.word} ", word="")])
        else:
            parts[-1].append(piece)
    inner = [printed for part in parts for printed in _broken(part, indent + 4)]
    opening = Printed(f"{margin}{text_of(line.head)}(", origins_of(line.head))
    return [opening, *inner, Printed(f"{margin}){line.end}{tail}")]


__all__ = ["ATOM", "WIDTH", "Expr", "Line", "Piece", "Printed", "binding", "flat", "pieces", "wrap"]
