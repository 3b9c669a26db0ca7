"""Convert Python source to nodes: statements with their comments."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Callable, Iterator
from typing import Any

from .build import constant
from .nodes import (
    Class,
    Comment,
    Do,
    Entered,
    For,
    Function,
    If,
    Parameter,
    Raise,
    Return,
    Set,
    Statement,
    Try,
    Update,
    With,
    Word,
)
from .parse_expressions import SIGNS, read_expression, read_target, refuse


def read_block(text: str) -> tuple[Statement, ...]:
    """All statements of a source text; comments at the end of a line become notes."""
    reader = _Reader(comments(text))
    found = tuple(reader.block(ast.parse(text).body))
    reader.refuse_lost(1, text.count("\n") + 1)
    return found


def read_definitions(text: str) -> dict[str, Any]:
    """The top-level classes and functions of a source text, by name."""
    reader = _Reader(comments(text))
    found = [n for n in ast.parse(text).body if isinstance(n, (ast.ClassDef, ast.FunctionDef))]
    made = {}
    for node in found:
        reader.used_to = node.lineno
        made[node.name] = reader.statement(node)
        reader.refuse_lost(node.lineno, node.end_lineno or node.lineno)
    return made


def comments(text: str) -> dict[int, tuple[str, bool]]:
    """Line -> its comment, and whether the comment has its own line."""
    if "#" not in text:
        return {}
    found = {}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            alone = not token.line[: token.start[1]].strip()
            found[token.start[0]] = token.string.removeprefix("#").strip(), alone
    return found


class _Reader:
    """Converts statements, with comments at the end of their line and on lines above."""

    def __init__(self, notes: dict[int, tuple[str, bool]]) -> None:
        self.notes = notes
        self.used_to = 0  # the last line whose comments were used
        self.taken: set[int] = set()  # lines whose comments are in the tree

    def block(self, body: list[ast.stmt]) -> Iterator[Statement]:
        for node in body:
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
            for line in range(self.used_to + 1, first):
                note, alone = self.notes.get(line, ("", False))
                if alone:
                    self.taken.add(line)
                    yield Comment(note)
            self.used_to = max(self.used_to, first)
            yield self.statement(node)
            self.used_to = max(self.used_to, node.end_lineno or first)

    def note(self, line: int | None) -> str:
        note, alone = self.notes.get(line or 0, ("", False))
        self.taken |= set() if alone else {line or 0}
        return "" if alone else note

    def refuse_lost(self, first: int, last: int) -> None:
        """Raise KeyError if a comment between these lines would be lost."""
        lost = [line for line in self.notes if first <= line <= last and line not in self.taken]
        where = ", ".join(f"{line} (# {self.notes[line][0]})" for line in lost)
        refuse(lost, f"comments at lines {where}")

    def statement(self, node: ast.stmt) -> Statement:
        made: Statement = STATEMENTS[type(node)](self, node)
        return made


def _value(node: ast.AST) -> Any:
    """A value; a tuple that is assigned or returned needs no parentheses."""
    return read_target(node) if isinstance(node, ast.Tuple) and node.elts else read_expression(node)


def _set(reader: _Reader, node: ast.Assign) -> Any:
    target, *also = map(read_target, node.targets)
    return Set(target, _value(node.value), reader.note(node.end_lineno), None, tuple(also))


def _annotated(reader: _Reader, node: ast.AnnAssign) -> Any:
    value = None if node.value is None else _value(node.value)
    annotation = read_expression(node.annotation)
    return Set(read_target(node.target), value, reader.note(node.end_lineno), annotation)


def _update(reader: _Reader, node: ast.AugAssign) -> Any:
    value, note = read_expression(node.value), reader.note(node.end_lineno)
    return Update(read_target(node.target), SIGNS[type(node.op)], value, note)


def _if(reader: _Reader, node: ast.If) -> Any:
    test, note = read_expression(node.test), reader.note(node.test.end_lineno)
    then = tuple(reader.block(node.body))
    return If(test, then, tuple(reader.block(node.orelse)), note)


def _for(reader: _Reader, node: ast.For) -> Any:
    refuse(node.orelse, "`else` of a loop")
    note = reader.note(node.iter.end_lineno)
    body = tuple(reader.block(node.body))
    return For(read_target(node.target), read_expression(node.iter), body, note)


def _with(reader: _Reader, node: ast.With) -> Any:
    note = reader.note(node.items[-1].context_expr.end_lineno)
    return With(tuple(map(_entered, node.items)), tuple(reader.block(node.body)), note)


def _entered(item: ast.withitem) -> Entered:
    target = None if item.optional_vars is None else read_target(item.optional_vars)
    return Entered(read_expression(item.context_expr), target)


def _raise(reader: _Reader, node: ast.Raise) -> Any:
    refuse(node.cause or node.exc is None, "`raise … from`")
    return Raise(read_expression(node.exc), reader.note(node.end_lineno))  # type: ignore[arg-type]


def _try(reader: _Reader, node: ast.Try) -> Any:
    refuse(node.handlers or node.orelse, "`except`")
    return Try(tuple(reader.block(node.body)), tuple(reader.block(node.finalbody)))


def _parameters(node: ast.arguments) -> Iterator[Parameter]:
    refuse(node.posonlyargs, "positional-only parameters")
    defaults = [None] * (len(node.args) - len(node.defaults)) + [*node.defaults]
    given = list(zip(node.args, defaults, strict=True))
    named = list(zip(node.kwonlyargs, node.kw_defaults, strict=True))
    for argument, default in given:
        yield _parameter(argument, default)
    if node.vararg is not None:
        yield _parameter(node.vararg, None, "*")
    elif named:
        yield Parameter("*")
    for argument, default in named:
        yield _parameter(argument, default)
    if node.kwarg is not None:
        yield _parameter(node.kwarg, None, "**")


def _parameter(node: ast.arg, default: ast.AST | None, stars: str = "") -> Parameter:
    annotation = None if node.annotation is None else read_expression(node.annotation)
    value = None if default is None else read_expression(default)
    return Parameter(node.arg, annotation, value, stars)


def _documented(node: ast.FunctionDef | ast.ClassDef) -> tuple[str, list[ast.stmt]]:
    doc = ast.get_docstring(node) or ""
    return doc, node.body[1:] if doc else node.body


def _function(reader: _Reader, node: ast.FunctionDef) -> Any:
    doc, body = _documented(node)
    signature = [node.returns, *ast.walk(node.args)]
    ends = [getattr(part, "end_lineno", 0) for part in ([node.body[0]] if doc else signature)]
    reader.used_to = max(reader.used_to, node.lineno, *ends)
    result = read_expression(node.returns) if node.returns else constant(None)
    return Function(
        node.name,
        tuple(_parameters(node.args)),
        result,
        tuple(reader.block(body)),
        doc,
        tuple(map(read_expression, node.decorator_list)),
    )


def _class(reader: _Reader, node: ast.ClassDef) -> Any:
    refuse(node.keywords, "metaclass")
    doc, body = _documented(node)
    return Class(
        node.name,
        tuple(map(read_expression, node.bases)),
        tuple(reader.block(body)),
        doc,
        tuple(map(read_expression, node.decorator_list)),
    )


STATEMENTS: dict[type[ast.AST], Callable[[_Reader, Any], Any]] = {
    ast.Assign: _set,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _update,
    ast.Expr: lambda reader, node: Do(read_expression(node.value), reader.note(node.end_lineno)),
    ast.Return: lambda reader, node: Return(_value(node.value), reader.note(node.end_lineno)),
    ast.Raise: _raise,
    ast.Break: lambda reader, node: Word("break", reader.note(node.end_lineno)),
    ast.Continue: lambda reader, node: Word("continue", reader.note(node.end_lineno)),
    ast.Pass: lambda reader, node: Word("pass", reader.note(node.end_lineno)),
    ast.If: _if,
    ast.For: _for,
    ast.With: _with,
    ast.Try: _try,
    ast.FunctionDef: _function,
    ast.ClassDef: _class,
}
