"""Parse Python source to nodes: `expression("x + bias", x=…)` is that tree with x replaced.

The row of an op is written like the code that it becomes. Templates are parsed once; names that are
passed as arguments are replaced by expressions.
"""

from __future__ import annotations

import ast
import io
import json
import tokenize
from collections.abc import Callable, Iterator
from functools import cache
from operator import itemgetter
from typing import Any

from .nodes import (
    VALUES,
    Argument,
    Binary,
    Bracketed,
    Call,
    Choice,
    Class,
    Comment,
    Dictionary,
    Do,
    Dot,
    Expr,
    For,
    Format,
    Function,
    Generator,
    If,
    Index,
    Literal,
    Name,
    Node,
    Pair,
    Parameter,
    Raise,
    Return,
    Sequence,
    Set,
    Slice,
    Statement,
    Try,
    Unary,
    Update,
    Word,
    walk,
)


def constant(value: Any) -> Literal:
    """A Python literal in its usual form: 10_000.0, 1e-5, 50257."""
    return Literal(value, written(value))


def written(value: Any) -> str:
    """The text of a number, a string, None, True, False or a tuple of these."""
    if value is ...:
        return "..."
    if isinstance(value, bool) or value is None:
        return repr(value)
    if isinstance(value, int):
        return f"{value:_}" if abs(value) >= 1_000_000 else str(int(value))
    if isinstance(value, float):
        return _written_float(value)
    if isinstance(value, tuple):
        comma = "," if len(value) == 1 else ""
        return f"({', '.join(map(written, value))}{comma})"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _written_float(value: float) -> str:
    if value.is_integer() and 1e4 <= abs(value) < 1e15:
        return f"{int(value):_}.0"
    mantissa, e, exponent = repr(value).partition("e")
    return f"{mantissa}e{int(exponent)}" if e else mantissa


def expression(template: str, /, **given: Expr) -> Any:
    """The tree of an expression, with names replaced by the given expressions."""
    return _filling(template, frozenset(given))(given) if given else _expression(template)


def statements(template: str, /, **given: Expr) -> tuple[Statement, ...]:
    """The trees of these lines and their comments, with names replaced by the given expressions."""
    if not given:
        return _statements(template)
    filled: tuple[Statement, ...] = _filling_lines(template, frozenset(given))(given)
    return filled


def call(function: str | Expr, *arguments: Expr, **named: Expr) -> Call:
    """`function(arguments, name=value)`; the function is given by its (dotted) name."""
    of = dotted(function) if isinstance(function, str) else function
    by_name = [Argument(value, name) for name, value in named.items()]
    return Call(of, (*[Argument(value) for value in arguments], *by_name))


@cache
def dotted(path: str) -> Any:
    """`nn.init.normal_` as a tree."""
    first, *rest = path.split(".")
    found: Any = _name(first)
    for part in rest:
        found = Dot(found, part)
    return found


def names(*ids: str) -> Any:
    """One or several names: the target of an assignment."""
    return _name(ids[0]) if len(ids) == 1 else Sequence(tuple(map(_name, ids)), "")


@cache
def _name(word: str) -> Name:
    return Name(word)


@cache
def _expression(template: str) -> Any:
    return read_expression(ast.parse(template, mode="eval").body)


Filling = Callable[[dict[str, Any]], Any]


@cache
def _filling(template: str, names: frozenset[str]) -> Filling:
    """A function from expressions for these names to the tree of a template."""
    return _all_used(_expression(template), names)


@cache
def _filling_lines(template: str, names: frozenset[str]) -> Filling:
    """The same for a template of statements."""
    return _all_used(_statements(template), names)


def _all_used(tree: Any, names: frozenset[str]) -> Filling:
    """The same. Raises KeyError for arguments that the template does not use."""
    if unused := names - {node.id for node in walk(tree) if isinstance(node, Name)}:
        raise KeyError(f"a template does not use {', '.join(sorted(unused))}")
    return filling(tree, names)


def filling(tree: Any, names: frozenset[str]) -> Filling:
    """A function that fills in expressions for these names."""
    return _maker(tree, names) or (lambda given: tree)


def _maker(part: Any, names: frozenset[str]) -> Filling | None:
    """A function that fills in the names in this part; None if it contains none of them."""
    kind = type(part)
    if kind is Name:
        return itemgetter(part.id) if part.id in names else None
    parts = part if kind is tuple else VALUES[kind](part) if kind in VALUES else ()
    makers = [_maker(inner, names) for inner in parts]
    if not any(makers):
        return None
    made = [maker or _always(inner) for maker, inner in zip(makers, parts, strict=True)]
    if kind is tuple:
        return lambda given: tuple([make(given) for make in made])
    return lambda given: kind(*[make(given) for make in made])


def _always(part: Any) -> Filling:
    return lambda given: part


@cache
def _statements(template: str) -> tuple[Statement, ...]:
    return read_block(template)


def read_block(text: str) -> tuple[Statement, ...]:
    """All statements of a source text, with comments as notes."""
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
        reader.said = node.lineno
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


# -- expressions


def _arguments(node: ast.Call) -> Iterator[Argument]:
    for item in node.args:
        starred = isinstance(item, ast.Starred)
        yield Argument(read_expression(item.value if starred else item), "", "*" * starred)  # type: ignore[attr-defined]
    for key in node.keywords:
        yield Argument(read_expression(key.value), key.arg or "", "" if key.arg else "**")


SIGNS: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.MatMult: "@",
    ast.Pow: "**",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.And: "and",
    ast.Or: "or",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.USub: "-",
    ast.Invert: "~",
    ast.Not: "not ",
}


def _chain(parts: list[Any], signs: list[str]) -> Any:
    found = parts[0]
    for sign, part in zip(signs, parts[1:], strict=True):
        found = Binary(found, sign, part)
    return found


def _bool(node: ast.BoolOp) -> Any:
    """`or` and `and`; an `and` within an `or` is parenthesised (ruff RUF021)."""
    parts = [read_expression(value) for value in node.values]
    if isinstance(node.op, ast.Or):
        joined = [isinstance(part, Binary) and part.sign == "and" for part in parts]
        parts = [Bracketed(p) if one else p for p, one in zip(parts, joined, strict=True)]
    return _chain(parts, [SIGNS[type(node.op)]] * (len(parts) - 1))


def _compare(node: ast.Compare) -> Any:
    parts = [read_expression(part) for part in (node.left, *node.comparators)]
    parts = [Bracketed(part) if _compares(part) else part for part in parts]
    return _chain(parts, [SIGNS[type(sign)] for sign in node.ops])


def _compares(part: Any) -> bool:
    """Whether it is a comparison, and so not an operand of a chain such as `a < b < c`."""
    return isinstance(part, Binary) and part.sign in COMPARISONS


COMPARISONS = ("==", "!=", "<", "<=", ">", ">=", "is", "is not", "in", "not in")


def refuse(bad: object, what: str) -> None:
    """Raise KeyError for syntax without a node type."""
    if bad:
        raise KeyError(f"emitted programs have no {what}")


def _subscript(node: ast.Subscript) -> Any:
    keys = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    refuse(not keys, "empty index")
    return Index(read_expression(node.value), tuple(map(read_expression, keys)))


def _slice(node: ast.Slice) -> Any:
    ends = (node.lower, node.upper, node.step)
    return Slice(*[None if end is None else read_expression(end) for end in ends])


def _format(node: ast.JoinedStr) -> Any:
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            refuse(part.conversion != -1 or part.format_spec, "format of a value in a string")
    return Format(
        tuple(
            str(part.value) if isinstance(part, ast.Constant) else read_expression(part.value)  # type: ignore[attr-defined]
            for part in node.values
        )
    )


def _generator(brackets: str) -> Callable[[Any], Any]:
    def read(node: Any) -> Any:
        (loop,) = node.generators
        refuse(len(loop.ifs) > 1, "second condition of a loop")
        value, target, over = map(read_expression, (node.elt, loop.target, loop.iter))
        test = read_expression(loop.ifs[0]) if loop.ifs else None
        return Generator(value, target, over, test, brackets)

    return read


def _dictionary(node: Any) -> Any:
    pairs = zip(node.keys, node.values, strict=True)
    return Dictionary(tuple(Pair(read_expression(key), read_expression(v)) for key, v in pairs))


def _sequence(brackets: str) -> Callable[[Any], Any]:
    return lambda node: Sequence(tuple(map(read_expression, node.elts)), brackets)


EXPRESSIONS: dict[type[ast.AST], Callable[[Any], Any]] = {
    ast.Name: lambda node: _name(node.id),
    ast.Constant: lambda node: constant(node.value),
    ast.Attribute: lambda node: Dot(read_expression(node.value), node.attr),
    ast.Call: lambda node: Call(read_expression(node.func), tuple(_arguments(node))),
    ast.BinOp: lambda node: Binary(
        read_expression(node.left), SIGNS[type(node.op)], read_expression(node.right)
    ),
    ast.BoolOp: _bool,
    ast.Compare: _compare,
    ast.UnaryOp: lambda node: Unary(SIGNS[type(node.op)], read_expression(node.operand)),
    ast.IfExp: lambda node: Choice(*map(read_expression, (node.body, node.test, node.orelse))),
    ast.Tuple: _sequence("()"),
    ast.List: _sequence("[]"),
    ast.Set: _sequence("{}"),
    ast.Dict: _dictionary,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    ast.JoinedStr: _format,
    ast.GeneratorExp: _generator(""),
    ast.ListComp: _generator("[]"),
}


def read_expression(node: ast.AST) -> Any:
    """The tree of a parsed expression. Raises KeyError for syntax without a node type."""
    return EXPRESSIONS[type(node)](node)


# -- statements


class _Reader:
    """Converts statements, with the comments after and above them."""

    def __init__(self, notes: dict[int, tuple[str, bool]]) -> None:
        self.notes = notes
        self.said = 0  # the last line whose comments were used
        self.taken: set[int] = set()  # lines whose comments are in the tree

    def block(self, body: list[ast.stmt]) -> Iterator[Statement]:
        for node in body:
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
            for line in range(self.said + 1, first):
                note, alone = self.notes.get(line, ("", False))
                if alone:
                    self.taken.add(line)
                    yield Comment(note)
            self.said = max(self.said, first)
            yield self.statement(node)
            self.said = max(self.said, node.end_lineno or first)

    def note(self, line: int | None) -> str:
        note, alone = self.notes.get(line or 0, ("", False))
        self.taken |= set() if alone else {line or 0}
        return "" if alone else note

    def refuse_lost(self, first: int, last: int) -> None:
        """Raise KeyError if a comment between these lines would be lost."""
        lost = [line for line in self.notes if first <= line <= last and line not in self.taken]
        where = ", ".join(f"{line} (# {self.notes[line][0]})" for line in lost)
        refuse(lost, f"place for the comments of lines {where}")

    def statement(self, node: ast.stmt) -> Statement:
        made: Statement = STATEMENTS[type(node)](self, node)
        return made


def _target(node: ast.AST) -> Any:
    found = read_expression(node)
    return Sequence(found.items, "") if isinstance(found, Sequence) else found


def _value(node: ast.AST) -> Any:
    """A value; a tuple that is assigned or returned needs no parentheses."""
    return _target(node) if isinstance(node, ast.Tuple) else read_expression(node)


def _set(reader: _Reader, node: ast.Assign) -> Any:
    target, *also = map(_target, node.targets)
    return Set(target, _value(node.value), reader.note(node.end_lineno), None, tuple(also))


def _annotated(reader: _Reader, node: ast.AnnAssign) -> Any:
    value = None if node.value is None else _value(node.value)
    annotation = read_expression(node.annotation)
    return Set(_target(node.target), value, reader.note(node.end_lineno), annotation)


def _update(reader: _Reader, node: ast.AugAssign) -> Any:
    value, note = read_expression(node.value), reader.note(node.end_lineno)
    return Update(_target(node.target), SIGNS[type(node.op)], value, note)


def _if(reader: _Reader, node: ast.If) -> Any:
    test, note = read_expression(node.test), reader.note(node.test.end_lineno)
    then = tuple(reader.block(node.body))
    return If(test, then, tuple(reader.block(node.orelse)), note)


def _for(reader: _Reader, node: ast.For) -> Any:
    refuse(node.orelse, "`else` of a loop")
    note = reader.note(node.iter.end_lineno)
    body = tuple(reader.block(node.body))
    return For(_target(node.target), read_expression(node.iter), body, note)


def _raise(reader: _Reader, node: ast.Raise) -> Any:
    refuse(node.cause or node.exc is None, "`raise … from`")
    return Raise(read_expression(node.exc), reader.note(node.end_lineno))  # type: ignore[arg-type]


def _try(reader: _Reader, node: ast.Try) -> Any:
    refuse(node.handlers or node.orelse, "`except`")
    return Try(tuple(reader.block(node.body)), tuple(reader.block(node.finalbody)))


def _parameters(node: ast.arguments) -> Iterator[Parameter]:
    refuse(node.vararg or node.kwarg or node.posonlyargs, "`*args`, `**kwargs` or `/`")
    defaults = [None] * (len(node.args) - len(node.defaults)) + [*node.defaults]
    given = list(zip(node.args, defaults, strict=True))
    named = list(zip(node.kwonlyargs, node.kw_defaults, strict=True))
    for argument, default in given:
        yield _parameter(argument, default)
    if named:
        yield Parameter("*")
    for argument, default in named:
        yield _parameter(argument, default)


def _parameter(node: ast.arg, default: ast.AST | None) -> Parameter:
    annotation = None if node.annotation is None else read_expression(node.annotation)
    return Parameter(node.arg, annotation, None if default is None else read_expression(default))


def _documented(node: ast.FunctionDef | ast.ClassDef) -> tuple[str, list[ast.stmt]]:
    doc = ast.get_docstring(node) or ""
    return doc, node.body[1:] if doc else node.body


def _function(reader: _Reader, node: ast.FunctionDef) -> Any:
    doc, body = _documented(node)
    signature = [node.returns, *ast.walk(node.args)]
    ends = [getattr(part, "end_lineno", 0) for part in ([node.body[0]] if doc else signature)]
    reader.said = max(reader.said, node.lineno, *ends)
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
    ast.Pass: lambda reader, node: Word("pass", reader.note(node.end_lineno)),
    ast.If: _if,
    ast.For: _for,
    ast.Try: _try,
    ast.FunctionDef: _function,
    ast.ClassDef: _class,
}

__all__ = [
    "Node",
    "call",
    "comments",
    "constant",
    "dotted",
    "expression",
    "names",
    "read_block",
    "read_definitions",
    "read_expression",
    "statements",
    "written",
]
