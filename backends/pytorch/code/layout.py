"""Line breaks in emitted files, formatted as by ruff.

Lines break at brackets, operators and method calls. Decisions depend only on the pieces of a line
and their widths.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from .flat import (
    ATOM,
    BINDING,
    CHOICE,
    OR,
    POWER,
    UNARIES,
    UNARY,
    arguments_in,
    binding,
    flat,
    is_simple,
    items_in,
    keys_in,
)
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
    Generator,
    Index,
    Loop,
    Node,
    Origins,
    Pair,
    Unary,
)
from .nodes import Sequence as Items
from .walk import origins_in, placed, walk

COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
TIMES = ("*", "/", "//", "%")
BREAKS = ((" ",), ("or",), ("and",), COMPARISONS, ("|",), ("^",), ("&",), ("+", "-"), TIMES)
"""Operators at which a long expression breaks, by increasing precedence."""


class Place(NamedTuple):
    """The indentation of a statement, the maximum width of a line, and the origins around it.

    around  origins of the nearest enclosing statement that has an op or a scope
    """

    indent: int
    width: int
    around: Origins = NOWHERE

    @property
    def margin(self) -> str:
        return " " * self.indent

    @property
    def deeper(self) -> Place:
        return Place(self.indent + 4, self.width, self.around)

    def inside(self, statement: Any) -> Place:
        """The positions of the statements that this one contains."""
        return Place(self.indent + 4, self.width, placed(statement.origins, self.around))

    def fits(self, text: str, more: int = 0) -> bool:
        """Whether this line fits, with some more columns after it."""
        return len(text) + more <= self.width


class Piece(NamedTuple):
    """A part of a line: text outside of brackets, or one pair of brackets with its content."""

    inner: str  # the text, or the content of the brackets
    nodes: tuple[Any, ...] = ()  # the content, separated by commas
    brackets: str = ""
    sign: str = ""  # the operator, if the piece is one
    word: str = ""  # `if` or `else`, if it is one of a conditional expression
    dot: bool = False  # whether it is `.name`
    origins: Origins = NOWHERE

    @property
    def text(self) -> str:
        return f"{self.brackets[:1]}{self.inner}{self.brackets[1:]}"

    @property
    def all_origins(self) -> Origins:
        return self.origins | origins_in(*self.nodes) if self.nodes else self.origins


class Printed(NamedTuple):
    """A line of the file and its origins (for source maps).

    own     origins of the line itself
    nodes   trees printed on it, whose origins belong to the line too
    pieces  pieces printed on it, likewise
    around  origins of enclosing nodes, used if those of the line contain no op or scope
    """

    text: str
    own: Origins = NOWHERE
    nodes: tuple[Any, ...] = ()
    pieces: Sequence[Piece] = ()
    around: Origins = NOWHERE

    @property
    def origins(self) -> Origins:
        """Origins of the line."""
        own = self.own.union(origins_in(*self.nodes), *[p.all_origins for p in self.pieces])
        return placed(own, self.around)


def pieces(e: Any, want: int = 0) -> list[Piece]:
    if want > CHOICE and binding(e) < want:
        return [Piece(flat(e), (e,), "()", origins=e.origins)]
    kind = type(e)
    if kind is Binary and e.sign == "**":
        left, right = pieces(e.left, POWER + 1), pieces(e.right, UNARY)
        close = is_simple(e.left) and is_simple(e.right)
        return [*left, Piece("**" if close else " ** ", origins=e.origins), *right]
    if kind is Binary:
        bind = BINDING[e.sign]
        sign = Piece(f" {e.sign} ", sign=e.sign, origins=e.origins)
        return [*pieces(e.left, bind), sign, *pieces(e.right, bind + 1)]
    if kind is Dot:
        return [*pieces(e.of, ATOM), Piece(f".{e.name}", dot=True, origins=e.origins)]
    if kind is Call:
        inside = Piece(arguments_in(e), e.arguments, "()", origins=e.origins)
        return [*pieces(e.of, ATOM), inside]
    if kind is Index:
        return [*pieces(e.of, ATOM), Piece(keys_in(e), e.keys, "[]", origins=e.origins)]
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
        return [Piece(flat(e.of), (e.of,), "()", origins=e.origins)]
    if kind is Unary:
        return [Piece(e.sign, origins=e.origins), *pieces(e.of, UNARIES[e.sign])]
    if kind is Dictionary or (kind is Items and e.brackets):
        brackets = "{}" if kind is Dictionary else e.brackets
        return [Piece(items_in(e), e.items, brackets, origins=e.origins)]
    if kind is Generator and e.brackets:
        inside = replace(e, brackets="")
        return [Piece(flat(inside), (inside,), e.brackets, origins=e.origins)]
    if kind is Generator:
        return [*pieces(e.value), *[piece for loop in e.loops for piece in _loops(loop)]]
    if kind in (Items, Adjacent):
        between = Piece(", ") if kind is Items else Piece(" ", sign=" ")
        found: list[Piece] = []
        for item in e.items:
            found += [*([between] if found else []), *pieces(item)]
        comma = [Piece(",")] if kind is Items and len(e.items) == 1 else []
        return found + comma
    return [Piece(flat(e), origins=origins_in(e) if isinstance(e, Node) else NOWHERE)]


def _loops(e: Loop) -> list[Piece]:
    test = [] if e.test is None else [Piece(" if ", word="if"), *pieces(e.test)]
    return [Piece(f" for {flat(e.target)} in ", word="for"), *pieces(e.over), *test]


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


Split = tuple[list[Piece], Piece, list[Piece]]
"""Pieces before brackets, the brackets, pieces after them."""


def text_of(found: Iterable[Piece]) -> str:
    return "".join([piece.text for piece in found])


def wrap(line: Line, at: Place, note: str = "") -> list[Printed]:
    """One statement as lines.

    The note follows the last line, or precedes a statement whose last line has no room for it.
    """
    margin, tail = at.margin, f"  # {note}" if note else ""
    found = line.all
    text = margin + text_of(found)
    if at.fits(text + tail):
        return [Printed(text + tail, pieces=found)]
    split = _split(found)
    if note and at.fits(text):
        if split is None or line.lead in ("name", "names", "dotted"):
            return [Printed(f"{margin}# {note}", pieces=found), Printed(text, pieces=found)]
        if line.lead == "return":
            return [Printed(text, pieces=found)]
    split = _earlier(split, at)
    if _in_brackets(line, split, at):
        opening = Printed(f"{margin}{text_of(line.head)}(", pieces=line.head)
        return [opening, *_broken(line.value, at.deeper), Printed(f"{margin}){line.end}{tail}")]
    chosen = line.lead and any(piece.word == "else" for piece in line.value)
    if chosen or split is None or not at.fits(margin + text_of(split[0]), 1):
        return _bracketed(line, at, tail)
    head, group, rest = split
    first = f"{margin}{text_of(head)}{group.brackets[0]}"
    opened = Printed(first, group.origins, pieces=head)
    last = f"{margin}{group.brackets[1]}{text_of(rest)}"
    if note and not at.fits(last + tail):
        return [Printed(f"{margin}# {note}", pieces=found), *wrap(line, at)]
    if at.fits(last + tail) or _split(rest) is None:
        return [opened, *_inside(group, at), Printed(last + tail, pieces=rest)]
    return [opened, *_inside(group, at), *wrap(Line([Piece(group.brackets[1])], rest), at)]


def _inside(group: Piece, at: Place) -> list[Printed]:
    """The content of brackets: on one line if it fits, else one part per line."""
    inner = at.deeper.margin + group.inner
    if at.fits(inner) and group.brackets != "{}":
        return [Printed(inner, pieces=[group])]
    comma = "," if len(group.nodes) > 1 else ""
    return [line for node in group.nodes for line in _broken(pieces(node), at.deeper, comma)]


def _split(found: list[Piece]) -> Split | None:
    """Split at the last non-empty brackets: before, brackets, after."""
    for place in range(len(found) - 1, -1, -1):
        if found[place].nodes:
            return found[:place], found[place], found[place + 1 :]
    return None


def _earlier(split: Split | None, at: Place) -> Split | None:
    """Split at earlier brackets, if what precedes the last ones is too long for a line."""
    while split is not None and not at.fits(at.margin + text_of(split[0]), 1):
        found = _split(split[0])
        if found is None:
            return split
        split = found[0], found[1], [*found[2], split[1], *split[2]]
    return split


def _terms(found: list[Piece]) -> list[list[Piece]]:
    """Split at the operators of lowest precedence; each term but the first begins with one."""
    signs = {piece.sign for piece in found}
    for group in BREAKS:
        if signs.isdisjoint(group):
            continue
        terms: list[list[Piece]] = [[]]
        for piece in found:
            if piece.sign in group:
                terms.append([_led(piece, piece.sign)])
            else:
                terms[-1].append(piece)
        return terms
    return [found]


def _led(piece: Piece, word: str) -> Piece:
    """The operator, or the word of a choice, at the beginning of a line."""
    return piece._replace(inner="" if word == " " else f"{word} ", sign="", word="")


def _clauses(found: list[Piece]) -> list[list[Piece]]:
    """The pieces of a comprehension cut before `for` and `if`; all others are one part."""
    if all(piece.word != "for" for piece in found):
        return [found]
    clauses: list[list[Piece]] = [[]]
    for piece in found:
        if piece.word:
            clauses.append([piece._replace(inner=piece.inner.lstrip(), word="")])
        else:
            clauses[-1].append(piece)
    return clauses


def _calls(found: list[Piece]) -> list[list[Piece]]:
    """Split before each method that is called on the result of a call."""
    calls: list[list[Piece]] = [[]]
    for before, piece in zip([None, *found], found, strict=False):
        if before is not None and before.brackets == "()" and piece.dot:
            calls.append([])
        calls[-1].append(piece)
    return calls


def _broken(found: list[Piece], at: Place, end: str = "") -> list[Printed]:
    """An expression in brackets: on one line, or broken at operators of lowest precedence first."""
    text = at.margin + text_of(found) + end
    if at.fits(text):
        return [Printed(text, pieces=found)]
    parts = _clauses(found)
    if len(parts) == 1:
        parts = _terms(found)
    if len(parts) == 1:
        parts = _calls(found)
        lines = wrap(Line([], found, end), at)
        if len(parts) == 1 or all(at.fits(line.text) for line in lines):
            return lines
    *first, last = parts
    lines = [line for part in first for line in _broken(part, at)]
    return [*lines, *_broken(last, at, end)]


def _in_brackets(line: Line, split: Split | None, at: Place) -> bool:
    """Whether a long value is put into parentheses, to break at its operators or methods."""
    if line.lead not in ("name", "names", "dotted", "return", "test") or any(
        _chooses(piece) for piece in line.value
    ):
        return False
    terms = _terms(line.value)
    opening = 0 if split is None else at.indent + len(text_of(split[0])) + 1
    if line.lead == "names":
        return len(terms) == 1 and opening > at.width
    if len(terms) > 1:
        bracketed = line.value[-1].brackets == "()" and split is not None and opening <= at.width
        return not (len(terms) == 2 and bracketed)
    if opening > at.width:
        return True
    fits = at.fits(at.deeper.margin + text_of(line.value))
    return opening + 4 > at.width - 20 and fits and _has_methods(line.value)


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


def _bracketed(line: Line, at: Place, tail: str) -> list[Printed]:
    """`name = (…)` for a value without brackets, such as a conditional expression."""
    margin = at.margin
    if not line.lead:
        return [Printed(margin + text_of(line.all) + tail, pieces=line.all)]
    parts: list[list[Piece]] = [[]]
    for piece in line.value:
        if piece.word:
            parts.append([_led(piece, piece.word)])
        else:
            parts[-1].append(piece)
    if at.fits(at.deeper.margin + text_of(line.value)):
        parts = [line.value]
    inner = [printed for part in parts for printed in _broken(part, at.deeper)]
    opening = Printed(f"{margin}{text_of(line.head)}(", pieces=line.head)
    return [opening, *inner, Printed(f"{margin}){line.end}{tail}")]
