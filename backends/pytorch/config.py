"""The `Config` of an emitted file: the spec's sizes that the file uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...compiler.graph import ModuleGraph
from ...compiler.sizes import Field
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
    Set,
    Statement,
    Word,
)
from .code.read import call, constant, expression
from .code.scope import UnboundNameError
from .code.walk import written_for
from .patterns import Counts, counts
from .writer import SELF

FROZEN = expression("dataclass(frozen=True)")
TITLE = "Sizes of the model. The defaults are the spec's."


def config_class(graph: ModuleGraph, used: set[str], init: list[tuple[str, Any]]) -> Class:
    """The dataclass with the fields that the file reads, and their checks.

    Raises UnboundNameError for a field that the graph does not have, which is a bug.
    """
    layers = _layer_checks(graph)
    used = used | {name for check in layers for name in check.fields}
    fields = {f.name: f for f in graph.fields if f.name in used}
    if unknown := used - fields.keys() - {name for name, _ in init}:
        raise UnboundNameError(f"the file reads {sorted(unknown)} of a Config that has none")
    body = [_field(f.name, f.value, f.comment, *f.places) for f in fields.values()]
    body += [_field(name, value, "", ("init",)) for name, value in init if name in used]
    body = body or [Word("pass")]
    parts = [_check(fields[whole], fields[part]) for whole, part in _checks(graph, fields)]
    parts += [check.statement for check in layers]
    if parts:
        body.append(Function("__post_init__", (Parameter("self"),), constant(None), tuple(parts)))
    return Class("Config", (), tuple(body), TITLE, (FROZEN,), origins=frozenset({""}))


def _field(name: str, value: Any, note: str, *places: tuple[Any, ...]) -> Statement:
    kind = "tuple[float, ...]" if isinstance(value, tuple) else type(value).__name__
    made = Set(Name(name), constant(value), note, expression(kind))
    written: Statement = written_for(made, *places)
    return written


def _check(whole: Field, part: Field) -> Statement:
    test = expression("one % other", one=Dot(SELF, whole.name), other=Dot(SELF, part.name))
    error = Raise(call("ValueError", _message(whole.name, part.name)))
    made: Statement = written_for(If(test, (error,)), whole.origin, part.origin)
    return made


def _message(whole: str, part: str) -> Expr:
    """`heads (12) must divide d_model (100)`, split into several strings if it is long."""
    one, other = Dot(SELF, whole), Dot(SELF, part)
    message = Format((f"{part} (", other, f") must divide {whole} (", one, ")"))
    said = Raise(call("ValueError", message))
    if width(said, depth=3) <= LONG or width(Do(message), depth=4) <= LONG:
        return message
    first: tuple[Expr, ...] = (Format((f"{part} (", other, ") must divide ")),)
    if width(Do(first[0]), depth=4) > LONG:
        first = constant(f"{part} "), Format(("(", other, ") must divide "))
    return Adjacent((*first, Format((f"{whole} (", one, ")"))))


def _checks(graph: ModuleGraph, fields: dict[str, Field]) -> list[tuple[str, str]]:
    """Checks of divisibility: heads by kv_heads, and d_model by heads if head_dim is derived."""
    found: list[tuple[str, str]] = []
    for op in graph.ops():
        if op.kind not in ("attend", "attend_linearly", "pool_heads"):
            continue
        heads, kv_heads = op.attrs["heads"].size, op.attrs["kv_heads"].size
        width = graph.values[op.first].shape[-1].size
        pairs = []
        if heads.code() != kv_heads.code():
            pairs.append((heads.code(), kv_heads.code()))
        if width is not None and isinstance(width.tree, tuple) and width.tree[0] == "//":
            _, whole, part = width.tree
            pairs.append((_name(whole), _name(part)))
        found += [pair for pair in pairs if pair not in found and set(pair) <= set(fields)]
    return found


@dataclass(frozen=True)
class _LayerCheck:
    """A check of the number of layers."""

    fields: tuple[str, ...]
    statement: Statement


def _layer_checks(graph: ModuleGraph) -> list[_LayerCheck]:
    """Checks of the number of layers of each stack, if the file is not correct for all numbers."""
    found: dict[Any, _LayerCheck] = {}
    for scope in graph.scopes.values():
        if scope.role != "layers" or scope.layers is None:
            continue
        (field,) = scope.layers.fields()
        test, words = _refused(counts(graph, scope), Dot(SELF, field.name))
        said = f"{field.name} must be {words}"
        error = Raise(call("ValueError", Format((f"{said}, not ", Dot(SELF, field.name)))))
        if width(error, depth=3) > LONG:  # for a long name
            error = Raise(call("ValueError", constant(said)))
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


def _name(tree: Any) -> str:
    return tree.name if isinstance(tree, Field) else ""
