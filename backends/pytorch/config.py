"""The `Config` of an emitted file: the spec's sizes that the file uses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ...compiler.graph import ModuleGraph
from ...compiler.requirements import Requirement, requirements
from ...compiler.sizes import Field, Formula, Term, code_of, fields_of
from .code.measure import LONG, width
from .code.nodes import (
    Adjacent,
    Class,
    Do,
    Dot,
    Expr,
    Format,
    Function,
    If,
    Name,
    Parameter,
    Raise,
    Sequence,
    Set,
    Statement,
    Word,
)
from .code.read import call, constant, expression, statements
from .code.scope import UnboundNameError
from .code.walk import written_for
from .number_checks import number_checks
from .patterns import Counts, counts
from .plan import FilePlan
from .sizes import field_of, formula_lines, term_over
from .writer import SELF

FROZEN = expression("dataclass(frozen=True)")
TITLE = "Hyperparameters of the model. The defaults are those of the spec."


def config_class(plan: FilePlan, used: set[str], init: list[tuple[str, Any]]) -> Class:
    """The dataclass with the fields that the file reads, and their checks.

    Raises UnboundNameError for a field that the graph does not have, which is a bug.
    """
    graph, layers = plan.graph, _layer_checks(plan)
    used = used | {name for check in layers for name in check.fields}
    derived = [f for f in graph.fields if f.name in used and f.formula is not None]
    used = used | {f.name for one in derived if one.formula for f in one.formula.fields()}
    fields = {f.name: f for f in graph.fields if f.name in used and f.formula is None}
    known = {*fields, *(f.name for f in derived), *(name for name, _ in init)}
    if unknown := used - known:
        raise UnboundNameError(f"the file reads {sorted(unknown)} of a Config that has none")
    body = [_field(f.name, f.value, f.comment, *f.places) for f in fields.values()]
    body += [_field(name, value, "", ("init",)) for name, value in init if name in used]
    body = body or [Word("pass")]
    more = [Field(name, value, ("init",)) for name, value in init if name in used]
    checks = _checks(graph, [*fields.values()], more, layers)
    if checks:
        none = constant(None)
        body.append(Function("__post_init__", (Parameter("self"),), none, tuple(checks)))
    body += [_property(f, f.formula) for f in derived if f.formula is not None]
    return Class("Config", (), tuple(body), TITLE, (FROZEN,), origins=frozenset({""}))


def _field(name: str, value: Any, note: str, *places: tuple[Any, ...]) -> Statement:
    kind = "tuple[float, ...]" if isinstance(value, tuple) else type(value).__name__
    made = Set(Name(name), constant(value), note, expression(kind))
    written: Statement = written_for(made, *places)
    return written


def _property(field: Field, formula: Formula) -> Statement:
    """A number that follows from others, which is computed wherever it is read."""
    body, self = formula_lines(formula), Parameter("self")
    made = Function(field.name, (self,), Name("float"), body, formula.title, (Name("property"),))
    found: Statement = written_for(made, *field.places)
    return found


# -- what is refused


def _checks(
    graph: ModuleGraph, fields: list[Field], init: list[Field], layers: list[_LayerCheck]
) -> list[Statement]:
    """The statements that raise ValueError for invalid sizes."""
    there = {field.name for field in fields}
    found = [one for one in requirements(graph) if {f.name for f in one.fields()} <= there]
    return [
        *_least(fields),
        *number_checks([*fields, *init]),
        *_relations(found),
        *(one.statement for one in layers),
    ]


def _least(fields: list[Field]) -> list[Statement]:
    """The check that every size is an int of at least 1, or 0 where that is allowed."""
    sizes = [field for field in fields if isinstance(field.value, int)]
    zero = tuple(constant(field.name) for field in sizes if field.least < 1)
    lines = statements(SIZES_OR_ZERO, zero=Sequence(zero)) if zero else statements(SIZES)
    return [written_for(line, *(field.origin for field in sizes)) for line in lines if sizes]


SIZES = """\
for name, size in vars(self).items():
    if type(vars(Config)[name]) is int and (type(size) is not int or size < 1):
        raise ValueError(f"{name} must be an int of at least 1: {self}")
"""
SIZES_OR_ZERO = """\
may_be_zero = zero
for name, size in vars(self).items():
    least = 0 if name in may_be_zero else 1
    if type(vars(Config)[name]) is int and (type(size) is not int or size < least):
        raise ValueError(f"{name} must be an int of at least {least}: {self}")
"""
TESTS = {
    "%": "left % right",
    "odd": "left % right == 0",
    "<=": "left > right",
    ">=": "left < right",
    ">": "left <= right",
    "==": "left != right",
}
"""Sign of a relation -> the condition under which it is violated."""
WORDS = {
    "odd": "{left} must be odd",
    "<=": "{left} must be at most {right}",
    ">=": "{left} must be at least {right}",
    ">": "{left} must be above {right}",
    "==": "{left} must equal {right}",
}


def _words(one: Requirement) -> str:
    """The relation in words, with `{left}` and `{right}` for its numbers."""
    if one.sign != "%":
        return WORDS[one.sign]
    if one.right == 2:
        return "{left} must be even"
    plain = isinstance(one.right, int)
    return "{left} must be a multiple of {right}" if plain else "{right} must divide {left}"


def _relations(found: list[Requirement]) -> list[Statement]:
    """The statements that check these; those of a number and a part of it are one."""
    made: list[Statement] = []
    before: Requirement | None = None
    for one in found:
        both = _both(before, one) if before is not None else None
        if both is not None:
            made.pop()
        made.append(both or _check(one))
        before = None if both else one
    return made


def _both(one: Requirement, other: Requirement) -> Statement | None:
    """`buckets % 4 must be 0, max_distance > buckets // 2`, if it fits into a line."""
    part = other.right
    if one.sign != "%" or not isinstance(one.right, int) or not isinstance(part, tuple):
        return None
    if {field.name for field in one.fields()} != {field.name for field in fields_of(part)}:
        return None
    values = {"l": _value(one.left), "r": _value(one.right)}
    values |= {"left": _value(other.left), "right": _value(part)}
    test = expression(f"l % r or {TESTS[other.sign]}", **values)
    first = f"{code_of(one.left)} % {one.right} must be 0"
    text = f"{first}, {code_of(other.left)} {other.sign} {code_of(part)}: "
    error = Raise(call("ValueError", Format((text, SELF))))
    if max(width(If(test, ()), depth=2), width(error, depth=3)) > LONG:
        return None
    origins = [field.origin for field in (*one.fields(), *other.fields())]
    both: Statement = written_for(If(test, (error,)), *origins)
    return both


def _check(one: Requirement) -> Statement:
    """The statement that checks a relation."""
    values = {"left": _value(one.left), "right": _value(one.right)}
    error = Raise(call("ValueError", _message(one, values)))
    test = expression(TESTS[one.sign], **values)
    made: Statement = written_for(If(test, (error,)), *(field.origin for field in one.fields()))
    return made


def _value(term: Term) -> Expr:
    return term_over(term, lambda field: field_of(SELF, field))


def _message(one: Requirement, values: dict[str, Expr]) -> Expr:
    """`heads (12) must divide d_model (100)`; if too long for a line, the Config is appended."""
    if one.sign == "%" and isinstance(one.right, tuple) and isinstance(one.right[2], Field):
        return _of_quotient(one, values["left"])
    texts = {"left": code_of(one.left), "right": code_of(one.right)}
    numbers = {key for key in texts if isinstance(getattr(one, key), (int, float))}
    parts: list[str | Expr] = []
    for word in re.split(r"{(left|right)}", _words(one)):
        parts.append(texts.get(word, word))
        if word in values.keys() - numbers:
            parts += [" (", values[word], ")"]
    message = Format(tuple(parts))
    if width(Raise(call("ValueError", message)), depth=3) <= LONG:
        return message
    words = _words(one).format(**texts)
    message = Format((words, ": ", SELF))
    if width(Do(message), depth=4) <= LONG:  # on a line of its own
        return message
    subject, must, rest = words.partition(" must ")
    return Adjacent((constant(subject), Format((must + rest, ": ", SELF))))


def _of_quotient(one: Requirement, left: Expr) -> Expr:
    """`d_model / heads must be even, not 96 / 32`, for d_model % (2 * heads)."""
    assert isinstance(one.right, tuple)
    _, count, field = one.right
    wanted = "even" if count == 2 else f"a multiple of {count}"
    words = f"{code_of(one.left)} / {field.name} must be {wanted}, not "
    message = Format((words, left, " / ", field_of(SELF, field)))
    if width(Raise(call("ValueError", message)), depth=3) <= LONG:
        return message
    return Format((words.removesuffix(", not "), ": ", SELF))


@dataclass(frozen=True)
class _LayerCheck:
    """A check of the number of layers."""

    fields: tuple[str, ...]
    statement: Statement


def _layer_checks(plan: FilePlan) -> list[_LayerCheck]:
    """Checks of the number of layers of each stack, if the file is not correct for all numbers."""
    found: dict[Any, _LayerCheck] = {}
    for scope in plan.graph.scopes.values():
        if scope.role != "layers" or scope.layers is None:
            continue
        (field,) = scope.layers.fields()
        known = counts(plan.graph, plan.index, scope)
        if known == Counts():  # as every size, 1 or more
            continue
        test, words = _refused(known, Dot(SELF, field.name))
        text = f"{field.name} must be {words}"
        error = Raise(call("ValueError", Format((f"{text}, not ", Dot(SELF, field.name)))))
        if width(error, depth=3) > LONG:  # for a long name
            error = Raise(call("ValueError", constant(text)))
        made = written_for(If(test, (error,)), scope.path, field.origin)
        found.setdefault(made, _LayerCheck((field.name,), made))
    return list(found.values())


def _refused(counts: Counts, layers: Expr) -> tuple[Any, str]:
    """The test for invalid numbers of layers, and a description of valid ones."""
    least, most = constant(counts.least), constant(counts.most)
    if counts.least == counts.most:
        return expression("layers != n", layers=layers, n=least), f"{counts.least}"
    if counts.most is not None:
        test = expression("not a <= layers <= b", layers=layers, a=least, b=most)
        return test, f"from {counts.least} to {counts.most}"
    test, words = expression("layers < n", layers=layers, n=least), f"at least {counts.least}"
    if counts.period == 1:
        return test, words
    rest = expression("layers % p", layers=layers, p=constant(counts.period))
    first, *others = counts.remainders
    wrong = expression("rest != n", rest=rest, n=constant(first))
    if others:
        wrong = expression("rest not in n", rest=rest, n=constant(counts.remainders))
    listed = " or ".join(map(str, counts.remainders))
    words += f" and leave {listed} when divided by {counts.period}"
    return expression("test or wrong", test=test, wrong=wrong), words
