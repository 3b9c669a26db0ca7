"""Print statements as lines: indentation, signatures, docstrings, blank lines."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import wrap as wrap_words
from typing import Any

from .flat import flat
from .layout import Line, Piece, Place, Printed, pieces, wrap
from .nodes import (
    Class,
    Comment,
    Copied,
    Do,
    Dot,
    For,
    Function,
    If,
    Name,
    Origins,
    Parameter,
    Raise,
    Return,
    Sequence,
    Set,
    Statement,
    Try,
    Update,
    With,
    Word,
)
from .walk import origins_in, placed

WIDTH = 100
NARROWER = 4  # a wrapped docstring is this much narrower than the code


def show(statement: Statement, depth: int = 0, width: int = WIDTH) -> list[Printed]:
    """The lines of a statement, indented by four columns per level.

    Lines are at most `width` columns wide, unless nothing in them can be broken.
    """
    return SHOW[type(statement)](statement, Place(4 * depth, width))


def show_all(body: tuple[Statement, ...], at: Place) -> list[Printed]:
    """The lines of several statements."""
    return [line for statement in body for line in SHOW[type(statement)](statement, at)]


def _parts(s: Any) -> tuple[str, str, str, Any]:
    """A simple statement: text before its value, value, text after it, tree of the value.

    The head of an assignment ends with its sign.
    """
    kind = type(s)
    if kind is Set:
        return (*_assignment(s), "", s.value)
    if kind is Update:
        return f"{flat(s.target)} {s.sign}= ", flat(s.value), "", s.value
    if kind is Word:
        return s.word, "", "", None
    if kind is If:
        return "if ", flat(s.test), ":", s.test
    if kind is For:
        return f"for {flat(s.target)} in ", flat(s.over), ":", s.over
    if kind is With:
        entered = s.items[0] if len(s.items) == 1 else Sequence(s.items, "")
        return "with ", flat(entered), ":", entered
    return WORDS[kind], flat(s.value), "", s.value


def columns(s: Any) -> int:
    """Width of a simple statement, or of the first line of a compound one, without its note."""
    return len("".join(_parts(s)[:3]))


WORDS = {Return: "return ", Raise: "raise ", Do: ""}


def _assignment(s: Set) -> tuple[str, str]:
    head = flat(s.target)
    if s.annotation is not None:
        head = f"{head}: {flat(s.annotation)}"
    if s.value is None:
        return head, ""
    head = " = ".join([head, *(flat(target) for target in s.also)])
    return f"{head} = ", flat(s.value)


def _line(s: Any, word: str) -> Line:
    """A simple statement as an argument of `wrap`."""
    head, _, end, value = _parts(s)
    lead = {Return: "return", If: "test"}.get(type(s), "")
    if type(s) is Set and s.annotation is None and not s.also:
        lead = {Name: "name", Dot: "dotted", Sequence: "names"}.get(type(s.target), "")
    before = [Piece(f"{word}{head}")]
    if type(s) is Set and s.annotation is None and lead in ("", "names"):  # a target may also break
        before = [p for t in (s.target, *s.also) for p in (*pieces(t), Piece(" = "))]
    return Line(before, pieces(value) if value is not None else [], end, lead)


def _simple(s: Any, at: Place, before: str = "") -> list[Printed]:
    head, value, end, tree = _parts(s)
    note = f"  # {s.note}" if s.note else ""
    text = f"{at.margin}{before}{head}{value}{end}{note}"
    if at.fits(text):
        return [Printed(text, s.origins, (tree,), around=at.around)]
    around = placed(s.origins or origins_in(tree), at.around)  # for brackets
    many = type(s) is Set and type(s.target) is Sequence and not s.also
    if many and not at.fits(f"{at.margin}{head}("):
        lines = _names(s, at)
    else:
        lines = wrap(_line(s, before), at, s.note)
    return [line._replace(around=around) for line in lines]


def _names(s: Any, at: Place) -> list[Printed]:
    """An assignment to more names than fit on a line: one name per line, in brackets."""
    names = [
        Printed(f"{at.deeper.margin}{flat(name)},", s.origins, (name,)) for name in s.target.items
    ]
    value = wrap(Line([Piece(") = ")], pieces(s.value), lead="names"), at, s.note)
    return [Printed(f"{at.margin}(", s.origins), *names, *value]


def _if(s: If, at: Place, before: str = "") -> list[Printed]:
    """An `if`; with `before="el"`, an `elif`."""
    lines = [*_simple(s, at, before), *show_all(s.then, at.inside(s))]
    if len(s.other) == 1 and isinstance(s.other[0], If):
        return lines + _if(s.other[0], at, "el")
    if s.other:
        lines.append(Printed(f"{at.margin}else:", s.origins, around=at.around))
        lines += show_all(s.other, at.inside(s))
    return lines


def _block(s: For | With, at: Place) -> list[Printed]:
    return [*_simple(s, at), *show_all(s.body, at.inside(s))]


def _try(s: Try, at: Place) -> list[Printed]:
    first, last = (
        Printed(f"{at.margin}{word}:", s.origins, around=at.around) for word in ("try", "finally")
    )
    return [first, *show_all(s.body, at.deeper), last, *show_all(s.final, at.deeper)]


def _comment(s: Comment, at: Place) -> list[Printed]:
    return [Printed(f"{at.margin}# {s.text}", s.origins, around=at.around)]


def parameter_text(p: Parameter) -> str:
    annotation = f": {flat(p.annotation)}" if p.annotation is not None else ""
    equals = " = " if annotation else "="
    return (
        p.stars + p.name + annotation + (equals + flat(p.default) if p.default is not None else "")
    )


def _function(s: Function, at: Place) -> list[Printed]:
    lines = [
        Printed(f"{at.margin}@{flat(one)}", s.origins, around=at.around) for one in s.decorators
    ]
    for line, parameters in signature(s, at):
        own = s.origins.union(*[p.origins for p in parameters])
        lines.append(Printed(line, own, around=at.around))
    if s.doc:
        lines += _document(s.doc, at.deeper, s.origins)
    return lines + show_all(s.body, at.inside(s))


def signature(s: Function, at: Place) -> list[tuple[str, tuple[Parameter, ...]]]:
    """`def name(self, …) -> result:`, on one line or broken as by a formatter.

    Returns each line with the parameters that it contains.
    """
    margin, end = at.margin, f") -> {flat(s.result)}:"
    texts = [parameter_text(p) for p in s.parameters]
    one = f"{margin}def {s.name}({', '.join(texts)}{end}"
    if at.fits(one):
        return [(one, s.parameters)]
    inner = f"{margin}    {', '.join(texts)}"
    lines = [(inner, s.parameters)]
    if not at.fits(inner):
        pairs = zip(texts, s.parameters, strict=True)
        lines = [(f"{margin}    {text},", (parameter,)) for text, parameter in pairs]
    return [(f"{margin}def {s.name}(", ()), *lines, (f"{margin}{end}", ())]


def _document(text: str, at: Place, origins: Origins) -> list[Printed]:
    """A docstring: unchanged if it has several lines, else wrapped."""
    margin = at.margin
    whole = f'{margin}"""{text}"""'
    if "\n" in text:
        first, *rest = text.split("\n")
        lines = [f'{margin}"""{first}', *(f"{margin}{line}".rstrip() for line in rest)]
        lines = [*lines, f'{margin}"""']
    elif at.fits(whole):
        lines = [whole]
    else:
        room = at.width - NARROWER - at.indent
        words = wrap_words(f'"""{text}', room, break_long_words=False, break_on_hyphens=False)
        lines = [f"{margin}{line}" for line in (*words, '"""')]
    return _of_text(lines, origins, at)


def _of_text(lines: list[str], origins: Origins, at: Place) -> list[Printed]:
    """Lines with the same origins; empty ones have none."""
    return [Printed(line, origins, around=at.around) if line else BLANK for line in lines]


BLANK = Printed("")


def _class(s: Class, at: Place) -> list[Printed]:
    margin = at.margin
    bases = ", ".join([flat(base) for base in s.bases])
    header = [f"{margin}class {s.name}({bases}):" if bases else f"{margin}class {s.name}:"]
    if bases and not all(map(at.fits, header)):
        header = [f"{margin}class {s.name}(", f"{at.deeper.margin}{bases}", f"{margin}):"]
    decorators = [f"{margin}@{flat(decorator)}" for decorator in s.decorators]
    lines = _of_text([*decorators, *header], s.origins, at)
    if s.doc:
        lines += _document(s.doc, at.deeper, s.origins)
    before: Any = s.doc or None
    inside = at.inside(s)
    for statement in s.body:
        apart = isinstance(before, (str, Function)) or isinstance(statement, Function)
        if before is not None and apart:
            lines.append(BLANK)
        lines += SHOW[type(statement)](statement, inside)
        before = statement
    return lines


def _copied(s: Copied, at: Place) -> list[Printed]:
    return _of_text(s.text.split("\n"), s.origins, at)


SHOW: dict[type[Any], Callable[[Any, Place], list[Printed]]] = {
    **dict.fromkeys((Set, Update, Do, Return, Raise, Word), _simple),
    Comment: _comment,
    If: _if,
    For: _block,
    With: _block,
    Try: _try,
    Function: _function,
    Class: _class,
    Copied: _copied,
}
