"""One formula for all masks that say the same in other words.

`not not`, brackets, the order of parts, a part that is written twice, a common part of all sides,
and `causal` beside a predicate that contains it make no difference. Formulas with other numbers
stay different, since their numbers are fields of `Config`: `band(4)` and `band(4, 4)`.

>>> from .masks import parse_mask
>>> for text in ("prefix | causal", "~(~causal | ~documents)", "window(4)", "keys(:9) & causal"):
...     print(canonical(parse_mask(text)))
causal | prefix
causal & documents
causal & window(4)
causal & keys(0:9)
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import inf

from .distances import Distances
from .masks import And, Argument, Atom, Mask, Not, Or, Range, atoms
from .simpler_masks import CAUSAL, EXACT, possible, simpler

WORDS = "full causal window band strided fixed blocks global random prefix documents keys queries"
ORDER = {name: place for place, name in enumerate(WORDS.split())}
"""Predicates, in the order in which they are written -> their place in it."""

PAST = Distances.of(0, inf)
MOST_PASSES = 4


def canonical(mask: Mask | tuple[Mask, ...]) -> Mask | tuple[Mask, ...]:
    """The formula, or those of a list, one per group of heads: a single one if all are equal."""
    if isinstance(mask, Mask):
        return _canonical(mask)
    found = tuple(map(_canonical, mask))
    return found[0] if len(set(found)) == 1 else found


@lru_cache(maxsize=256)
def _canonical(mask: Mask) -> Mask:
    for _ in range(MOST_PASSES):
        before, mask = mask, _ordered(simpler(_ordered(_signed(mask))))
        if mask == before:
            break
    return mask


def _signed(mask: Mask, sign: bool = True) -> Mask:
    """The formula, or its opposite, with `~` before predicates only, and with each `causal`."""
    if isinstance(mask, Not):
        return _signed(mask.part, not sign)
    if isinstance(mask, (And, Or)):
        kind = And if isinstance(mask, And) == sign else Or
        return _factored(kind(tuple(_signed(part, sign) for part in mask.parts)))
    assert isinstance(mask, Atom)
    if mask.args and isinstance(mask.args[0], Range) and mask.args[0].start is None:
        mask = Atom(mask.name, (Range(0, mask.args[0].stop),))
    parts = (CAUSAL, mask) if mask.name in EXACT and possible(mask) <= PAST else (mask,)
    return _joined(And, parts) if sign else _joined(Or, [Not(part) for part in parts])


def _factored(mask: And | Or) -> Mask:
    """`a & (b | c)` for `a & b | a & c`, and the same for the opposite."""
    outer, inner = (And, Or) if isinstance(mask, Or) else (Or, And)
    sides = [part.parts if isinstance(part, outer) else (part,) for part in mask.parts]
    common = [part for part in sides[0] if all(part in side for side in sides)]
    if not common:
        return mask
    rests = [[part for part in side if part not in common] for side in sides]
    if not all(rests):  # `a | a & b`
        return _joined(outer, common)
    return _joined(outer, [*common, _joined(inner, [_joined(outer, rest) for rest in rests])])


def _joined(kind: type[And | Or], parts: Sequence[Mask]) -> Mask:
    return kind(tuple(parts)) if len(parts) > 1 else parts[0]


def _ordered(mask: Mask) -> Mask:
    """The same parts, each once, in one order."""
    if not isinstance(mask, (And, Or)):
        return mask
    parts = dict.fromkeys(map(_ordered, mask.parts))
    return _joined(type(mask), sorted(parts, key=_key))


def _key(mask: Mask) -> tuple[object, ...]:
    return [(ORDER[atom.name], *map(_number, atom.args)) for atom in atoms(mask)], str(mask)


def _number(argument: Argument) -> tuple[float, ...]:
    """Numbers before ranges from the start, these before ranges from the end, `given` last."""
    if isinstance(argument, int):
        return (argument,)
    if isinstance(argument, str):
        return (inf,)
    start, stop = argument.start or 0, inf if argument.stop is None else argument.stop
    return (start < 0, start, stop)
