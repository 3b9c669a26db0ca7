"""Print statements as lines: indentation, signatures, docstrings, blank lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .layout import WIDTH, Line, Piece, Printed, flat, pieces, wrap
from .nodes import (
    NOWHERE,
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
    Word,
    origins_in,
)

DOCUMENT_WIDTH = 96  # columns at which long docstrings wrap


def show(statement: Statement, depth: int = 0) -> list[Printed]:
    """The lines of a statement, indented by four columns per level."""
    return list(SHOW[type(statement)](statement, depth))


def show_all(body: tuple[Statement, ...], depth: int = 0) -> list[Printed]:
    """The lines of several statements."""
    return [line for statement in body for line in show(statement, depth)]


def width(statement: Statement, depth: int = 0) -> int:
    """Width of the statement on one line, including its note."""
    note = getattr(statement, "note", "")
    return 4 * depth + len("".join(_parts(statement)[:3])) + (len(note) + 4 if note else 0)


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
    return WORDS[kind], flat(s.value), "", s.value


WORDS = {Return: "return ", Raise: "raise ", Do: ""}


def _assignment(s: Set) -> tuple[str, str]:
    head = flat(s.target)
    if s.annotation is not None:
        head = f"{head}: {flat(s.annotation)}"
    if s.value is None:
        return head, ""
    head = " = ".join([head, *(flat(target) for target in s.also)])
    return f"{head} = ", flat(s.value)


def _line(s: Any) -> Line:
    """A simple statement as an argument of `wrap`."""
    head, _, end, value = _parts(s)
    lead = {Return: "return", If: "test"}.get(type(s), "")
    if type(s) is Set and s.annotation is None and not s.also:
        lead = {Name: "name", Dot: "dotted", Sequence: "names"}.get(type(s.target), "")
    before = [Piece(head)]
    if type(s) is Set and s.annotation is None and lead in ("", "names"):  # a target may also break
        before = [p for t in (s.target, *s.also) for p in (*pieces(t), Piece(" = "))]
    return Line(before, pieces(value) if value is not None else [], end, lead)


def _simple(s: Any, depth: int) -> list[Printed]:
    head, value, end, tree = _parts(s)
    margin, note = " " * 4 * depth, f"  # {s.note}" if s.note else ""
    text = f"{margin}{head}{value}{end}{note}"
    if len(text) <= WIDTH:
        return [Printed(text, s.origins, (tree,))]
    lines = wrap(_line(s), 4 * depth, s.note)
    own = s.origins or origins_in(tree)  # lines with only a bracket, or an argument without origins
    return [line if line.own else Printed(line.text, own) for line in lines]


def _if(s: If, depth: int) -> Iterator[Printed]:
    yield from _simple(s, depth)
    yield from _within(s, show_all(s.then, depth + 1))
    if len(s.other) == 1 and isinstance(s.other[0], If):
        first, *rest = _if(s.other[0], depth)
        margin = " " * 4 * depth
        yield first._replace(text=f"{margin}el{first.text[len(margin) :]}")
        yield from rest
    elif s.other:
        yield Printed(f"{' ' * 4 * depth}else:", s.origins)
        yield from _within(s, show_all(s.other, depth + 1))


def _for(s: For, depth: int) -> Iterator[Printed]:
    yield from _simple(s, depth)
    yield from _within(s, show_all(s.body, depth + 1))


def _try(s: Try, depth: int) -> Iterator[Printed]:
    margin = " " * 4 * depth
    yield Printed(f"{margin}try:", s.origins)
    yield from show_all(s.body, depth + 1)
    yield Printed(f"{margin}finally:", s.origins)
    yield from show_all(s.final, depth + 1)


def _comment(s: Comment, depth: int) -> Iterator[Printed]:
    yield Printed(f"{' ' * 4 * depth}# {s.text}", s.origins)


def parameter_text(p: Parameter) -> str:
    annotation = f": {flat(p.annotation)}" if p.annotation is not None else ""
    equals = " = " if annotation else "="
    return p.name + annotation + (equals + flat(p.default) if p.default is not None else "")


def _function(s: Function, depth: int) -> Iterator[Printed]:
    margin = " " * 4 * depth
    for decorator in s.decorators:
        yield Printed(f"{margin}@{flat(decorator)}", s.origins)
    for line, parameters in signature(s, depth):
        yield Printed(line, s.origins.union(*[p.origins for p in parameters]))
    if s.doc:
        yield from _document(s.doc, depth + 1, s.origins)
    yield from _within(s, show_all(s.body, depth + 1))


def _within(s: Function | Class | If | For, lines: list[Printed]) -> Iterator[Printed]:
    """Give lines without origins those of the nearest enclosing node."""
    for line in lines:
        if line.around or not line.text or not s.origins:
            yield line
        else:
            yield Printed(line.text, line.own, line.nodes, s.origins)


def signature(s: Function, depth: int) -> list[tuple[str, tuple[Parameter, ...]]]:
    """`def name(self, …) -> result:`, on one line or broken as by a formatter.

    Yields each line with the parameters that it contains.
    """
    margin, end = " " * 4 * depth, f") -> {flat(s.result)}:"
    texts = [parameter_text(p) for p in s.parameters]
    one = f"{margin}def {s.name}({', '.join(texts)}{end}"
    if len(one) <= WIDTH:
        return [(one, s.parameters)]
    inner = f"{margin}    {', '.join(texts)}"
    lines = [(inner, s.parameters)]
    if len(inner) > WIDTH:
        pairs = zip(texts, s.parameters, strict=True)
        lines = [(f"{margin}    {text},", (parameter,)) for text, parameter in pairs]
    return [(f"{margin}def {s.name}(", ()), *lines, (f"{margin}{end}", ())]


def _document(text: str, depth: int, origins: Origins) -> Iterator[Printed]:
    """A docstring: unchanged if it has several lines, else wrapped."""
    margin = " " * 4 * depth
    whole = f'{margin}"""{text}"""'
    if "\n" in text:
        first, *rest = text.split("\n")
        lines = [f'{margin}"""{first}', *(f"{margin}{line}".rstrip() for line in rest)]
        lines = [*lines, f'{margin}"""']
    elif len(whole) <= WIDTH:
        lines = [whole]
    else:
        lines, current = [], margin + '"""'
        for word in text.split(" "):
            glue = "" if current.endswith('"""') else " "
            if len(current + glue + word) > DOCUMENT_WIDTH:
                lines.append(current)
                current = margin + word
            else:
                current += glue + word
        lines += [current, margin + '"""']
    for line in lines:
        yield Printed(line, origins if line else NOWHERE)


def _class(s: Class, depth: int) -> Iterator[Printed]:
    margin = " " * 4 * depth
    for decorator in s.decorators:
        yield Printed(f"{margin}@{flat(decorator)}", s.origins)
    bases = f"({', '.join([flat(base) for base in s.bases])})" if s.bases else ""
    header = f"{margin}class {s.name}{bases}:"
    if len(header) > WIDTH:
        header = f"{margin}class {s.name}(\n{margin}    {bases[1:-1]}\n{margin}):"
    for line in header.split("\n"):
        yield Printed(line, s.origins)
    if s.doc:
        yield from _document(s.doc, depth + 1, s.origins)
    before: Any = s.doc or None
    for statement in s.body:
        apart = isinstance(before, (str, Function)) or isinstance(statement, Function)
        if before is not None and apart:
            yield Printed("")
        yield from _within(s, show(statement, depth + 1))
        before = statement


def _copied(s: Copied, depth: int) -> Iterator[Printed]:
    for line in s.text.split("\n"):
        yield Printed(line, s.origins if line else NOWHERE)


SHOW: dict[type[Any], Callable[[Any, int], Any]] = {
    **dict.fromkeys((Set, Update, Do, Return, Raise, Word), _simple),
    Comment: _comment,
    If: _if,
    For: _for,
    Try: _try,
    Function: _function,
    Class: _class,
    Copied: _copied,
}

__all__ = ["Printed", "origins_in", "parameter_text", "show", "show_all", "signature", "width"]
