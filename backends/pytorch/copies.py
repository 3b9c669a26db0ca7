"""Copy several numbers of the Config in one statement of a constructor."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeGuard

from .code.measure import LONG, width
from .code.nodes import Class, Dot, Expr, Function, Name, Sequence, Set, Statement
from .sizes import CONFIG
from .writer import SELF

MOST = 3
"""Most numbers in one statement; more are hard to match with their values."""


def copied_together(one: Class) -> Class:
    """`self.layer, self.dropout = layer, config.dropout` for two statements of `__init__`.

    They come before those that compute something.
    """
    made = one.body[0] if one.body else None
    if not isinstance(made, Function) or made.name != "__init__":
        return one
    copies = [line for line in made.body if is_copy(line)]
    if len(copies) < 2:
        return one
    first = made.body.index(copies[0])
    rest = [line for line in made.body[first:] if not is_copy(line)]
    body = (*made.body[:first], *in_lines(copies), *rest)
    changed: Class = replace(one, body=(replace(made, body=body), *one.body[1:]))
    return changed


def is_copy(line: Statement) -> TypeGuard[Set]:
    """Whether it is `self.layer = layer` or `self.name = config.field`, without a comment."""
    if not isinstance(line, Set) or line.also or line.note or line.annotation is not None:
        return False
    if not isinstance(line.target, Dot) or line.target.of != SELF:
        return False
    value = line.value
    return value == Name("layer") or (isinstance(value, Dot) and value.of == CONFIG)


def in_lines(copies: list[Set]) -> list[Statement]:
    """The copies in as few statements as fit into lines."""
    found: list[list[Set]] = []
    for one in copies:
        if found and len(found[-1]) < MOST and width(together([*found[-1], one]), 2) <= LONG:
            found[-1].append(one)
        else:
            found.append([one])
    return [together(group) for group in found]


def together(group: list[Set]) -> Set:
    """`self.a, self.b = config.a, config.b`."""
    if len(group) == 1:
        return group[0]
    targets: tuple[Expr, ...] = tuple([one.target for one in group])
    values = tuple([one.value for one in group if one.value is not None])
    origins = group[0].origins.union(*[one.origins for one in group])
    return Set(Sequence(targets, ""), Sequence(values, ""), origins=origins)
