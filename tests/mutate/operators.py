"""The faults: what may be put in the place of an expression, by the kind of its node.

Each operator is a function of a node that yields names of faults and nodes that replace it. What
would only change a text that people read, or is refused by Python's grammar, is not made.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from typing import Any

Fault = tuple[str, ast.AST]
SWAPPED, BY_ONE, DROPPED = "swapped operands", "off by one", "dropped term"
CONSTANT, FLIPPED, SKIPPED, AXIS = (
    "changed constant",
    "flipped condition",
    "skipped branch",
    "wrong axis",
)
KINDS = (SWAPPED, BY_ONE, DROPPED, CONSTANT, FLIPPED, SKIPPED, AXIS)

OTHER: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
NEIGHBOUR: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}
OPPOSITE: dict[type[ast.AST], type[ast.AST]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
}
IN_ORDER = (ast.Sub, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult)
ALONE = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.BitAnd, ast.BitOr)
AXES = {"dim", "axis", "dims", "axes"}
AXIS_CALLS = {
    *("transpose", "sum", "mean", "cat", "stack", "unsqueeze", "squeeze", "flatten", "unflatten"),
    *("size", "softmax", "cumsum", "argmax", "amax", "max", "min", "chunk", "split", "topk"),
    *("movedim", "permute", "unbind", "repeat_interleave", "gather", "norm", "narrow"),
}
WORDS = {"out", "title", "noun", "note", "says", "attrs", "part", "origins", "annotation", "doc"}
WORDS |= {"strict"}
"""Arguments that only name or describe or assert (`zip(strict=True)`), or of which the order
is no matter: nothing is changed."""
HOLDERS = {"self", "cls", "b", "f", "state", "graph", "op", "spec", "values", "reading"}
"""Names of what holds others: no number or text may stand in its place."""
UNORDERED = {"max", "min", "promote_types", "isinstance", "cast", "maximum", "minimum"}
UNORDERED |= {"transpose", "swapaxes"}
"""Calls that give the same for two arguments exchanged."""
PLAIN = {"len", "int", "str", "tuple", "list", "dict", "set", "frozenset", "isinstance", "iter"}
PLAIN |= {"next", "bool", "cast", "range", "print", "zip", "enumerate", "super", "type", "repr"}


def changed(node: Any, **fields: Any) -> Any:
    """A copy of a node with other fields."""
    made = copy.copy(node)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def binary(node: ast.BinOp) -> Iterator[Fault]:
    if isinstance(node.op, IN_ORDER):
        yield SWAPPED, changed(node, left=node.right, right=node.left)
    if type(node.op) in OTHER:
        yield FLIPPED, changed(node, op=OTHER[type(node.op)]())
    if isinstance(node.op, ALONE):
        several = any(isinstance(n, (ast.List, ast.Tuple)) for n in (node.left, node.right))
        yield DROPPED, node.left
        if not (several and isinstance(node.op, ast.Mult)):
            yield DROPPED, node.right


def boolean(node: ast.BoolOp) -> Iterator[Fault]:
    yield FLIPPED, changed(node, op=OTHER[type(node.op)]())
    for i in range(len(node.values)):
        rest = node.values[:i] + node.values[i + 1 :]
        yield DROPPED, rest[0] if len(rest) == 1 else changed(node, values=rest)


def compare(node: ast.Compare) -> Iterator[Fault]:
    for i, op in enumerate(node.ops):
        for name, table in ((BY_ONE, NEIGHBOUR), (FLIPPED, OPPOSITE)):
            if type(op) in table:
                yield (
                    name,
                    changed(node, ops=[*node.ops[:i], table[type(op)](), *node.ops[i + 1 :]]),
                )


def unary(node: ast.UnaryOp) -> Iterator[Fault]:
    if isinstance(node.op, ast.Not):
        yield FLIPPED, node.operand
    elif isinstance(node.op, (ast.Invert, ast.USub)) and not isinstance(node.operand, ast.Constant):
        yield DROPPED, node.operand
    elif isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        yield DROPPED, node.operand
        value = node.operand.value
        if isinstance(value, int):
            yield BY_ONE, changed(node, operand=ast.Constant(value + 1))


def constant(node: ast.Constant) -> Iterator[Fault]:
    value = node.value
    if isinstance(value, bool):
        yield FLIPPED, ast.Constant(not value)
    elif isinstance(value, int):
        yield BY_ONE, ast.Constant(value + 1)
        if value > 0:
            yield BY_ONE, ast.Constant(value - 1)
    elif isinstance(value, float):
        yield CONSTANT, ast.Constant(value * 2 if value else 1.0)


def choice(node: ast.IfExp) -> Iterator[Fault]:
    yield FLIPPED, changed(node, body=node.orelse, orelse=node.body)
    yield SKIPPED, node.body
    yield SKIPPED, node.orelse


def call(node: ast.Call) -> Iterator[Fault]:
    args, named = node.args, node.keywords
    if len(args) > 1 and not unordered(node) and alike(*args[-2:]):
        yield SWAPPED, changed(node, args=[*args[:-2], args[-1], args[-2]])
    for i, one in enumerate(named):
        if one.arg and one.arg not in WORDS:
            yield DROPPED, changed(node, keywords=named[:i] + named[i + 1 :])
    plain = isinstance(node.func, ast.Name) and node.func.id not in PLAIN
    if plain and len(args) == 1 and not named and not isinstance(args[0], ast.Starred):
        yield DROPPED, args[0]
    if isinstance(node.func, ast.Attribute) and computed(node.func.value):
        yield DROPPED, node.func.value


def alike(one: ast.AST, other: ast.AST) -> bool:
    """May one stand where the other does? Two of a kind may; a word beside a number may not."""
    if type(one) is not type(other) or isinstance(one, ast.Starred):
        return False
    if isinstance(one, ast.Constant):
        return type(one.value) is type(other.value)  # type: ignore[attr-defined]
    return not (isinstance(one, ast.Name) and one.id in HOLDERS)


def unordered(node: ast.Call) -> bool:
    """Is the order of its arguments no matter, or one that Python itself refuses to change?"""
    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
    return name in UNORDERED


def computed(node: ast.AST) -> bool:
    """Is it a number on the way, and no module, object or text?"""
    if isinstance(node, ast.Name):
        return node.id in {"x", "y", "q", "k", "v", "mask", "scores", "weights", "bias", "logits"}
    return isinstance(node, (ast.Call, ast.BinOp, ast.Subscript))


def sequence(node: ast.Tuple | ast.List) -> Iterator[Fault]:
    if not isinstance(node.ctx, ast.Load) or len(node.elts) < 2:
        return
    yield DROPPED, changed(node, elts=node.elts[:-1])
    if alike(*node.elts[:2]):
        yield SWAPPED, changed(node, elts=[node.elts[1], node.elts[0], *node.elts[2:]])


def mapping(node: ast.Dict) -> Iterator[Fault]:
    for i in range(len(node.keys)):
        keys, values = list(node.keys), list(node.values)
        yield (
            DROPPED,
            changed(node, keys=keys[:i] + keys[i + 1 :], values=values[:i] + values[i + 1 :]),
        )
        if i + 1 < len(keys) and keys[i] and keys[i + 1] and alike(*values[i : i + 2]):
            values[i], values[i + 1] = values[i + 1], values[i]
            yield SWAPPED, changed(node, values=values)


def part(node: ast.Slice) -> Iterator[Fault]:
    """A bound that is no number: numbers are changed by themselves."""
    for name in ("lower", "upper"):
        bound = getattr(node, name)
        if bound is None or isinstance(bound, (ast.Constant, ast.UnaryOp)):
            continue
        for op in (ast.Add(), ast.Sub()):
            moved = ast.BinOp(bound, op, ast.Constant(1))
            yield BY_ONE, changed(node, **{name: moved})


def branch(node: ast.If) -> Iterator[Fault]:
    yield FLIPPED, changed(node, test=ast.UnaryOp(ast.Not(), node.test))
    yield SKIPPED, changed(node, test=ast.Constant(False))
    yield SKIPPED, changed(node, test=ast.Constant(True))


def loop(node: ast.For) -> Iterator[Fault]:
    listed = ast.Call(ast.Name("list"), [node.iter], [])
    yield SKIPPED, changed(node, iter=ast.Tuple([], ast.Load()))
    for bounds in (ast.Slice(ast.Constant(1), None), ast.Slice(None, ast.Constant(-1))):
        yield BY_ONE, changed(node, iter=ast.Subscript(listed, bounds, ast.Load()))


def filtered(node: ast.comprehension) -> Iterator[Fault]:
    for i, test in enumerate(node.ifs):
        turned = ast.UnaryOp(ast.Not(), test)
        yield FLIPPED, changed(node, ifs=[*node.ifs[:i], turned, *node.ifs[i + 1 :]])
        yield SKIPPED, changed(node, ifs=node.ifs[:i] + node.ifs[i + 1 :])


def statement(node: ast.stmt) -> Iterator[Fault]:
    """What is done for its effect."""
    yield SKIPPED, ast.Pass()


OPERATORS: dict[type[ast.AST], Callable[[Any], Iterator[Fault]]] = {
    ast.BinOp: binary,
    ast.BoolOp: boolean,
    ast.Compare: compare,
    ast.UnaryOp: unary,
    ast.Constant: constant,
    ast.IfExp: choice,
    ast.Call: call,
    ast.Tuple: sequence,
    ast.List: sequence,
    ast.Dict: mapping,
    ast.Slice: part,
    ast.If: branch,
    ast.For: loop,
    ast.comprehension: filtered,
    ast.AugAssign: statement,
}


def faults(node: ast.AST) -> Iterator[Fault]:
    """Every fault of one node itself, not of what is in it."""
    if type(node) in OPERATORS:
        yield from OPERATORS[type(node)](node)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield from statement(node)
