"""Simpler formulas for masks, and parts of formulas that have no effect.

A formula is simplified from the outside to the inside. Each part is read knowing what the other
parts decide: beside `a &`, only pairs for which `a` is true matter, and beside `a |` only those
for which it is false. What is always true or always false there is removed.

>>> from .masks import parse_mask
>>> for text in ("causal & full", "~~causal", "causal | window(4)", "causal & ~causal"):
...     print(simpler(parse_mask(text)))
causal
causal
causal
~full
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import accumulate
from math import inf
from operator import and_
from typing import Any

from .distances import ALL, NONE, Distances
from .masks import NUMBERS, And, Atom, Mask, Not, Or, Range

FULL, CAUSAL = Atom("full"), Atom("causal")
NOTHING = Not(FULL)
"""The formula that allows no pair."""

MOST_PASSES = 8
"""What one part becomes may make another one simpler."""


@lru_cache(maxsize=256)
def simpler(mask: Mask) -> Mask:
    """An equal formula without parts that have no effect; `NOTHING` if it allows no pair.

    `causal` stays beside a predicate that contains it: `causal & window(8)`.
    """
    for _ in range(MOST_PASSES):
        before, mask = mask, _Reader().read(mask, Known())
        if mask == before:
            break
    return mask


@lru_cache(maxsize=256)
def idle_numbers(mask: Mask) -> tuple[tuple[Atom, int, Mask], ...]:
    """Numbers that could be others without any effect, as 9 in `causal & band(4, 9)`.

    Each with its predicate, and the predicate that could be written instead.
    """
    reader = _Reader()
    reader.read(simpler(mask), Known())
    return tuple(reader.idle)


def simplest(mask: Mask | tuple[Mask, ...]) -> Mask | tuple[Mask, ...]:
    """The same for a list, one formula per group of heads: a single one if all are equal."""
    if isinstance(mask, Mask):
        return simpler(mask)
    found = tuple(map(simpler, mask))
    return found[0] if len(set(found)) == 1 else found


def admits_future(mask: Mask) -> bool:
    """Whether a query may attend to later keys. True in case of doubt, for any arguments."""
    return bool((possible(simpler(mask)) & Distances.of(-inf, -1)).ranges)


# -- what a formula allows


def possible(mask: Mask) -> Distances:
    """The distances of all pairs that a formula allows, and maybe more."""
    if isinstance(mask, Not):
        return ~certain(mask.part)
    if isinstance(mask, (And, Or)):
        return _joined(mask, possible)
    return _most(mask)


def certain(mask: Mask) -> Distances:
    """Distances at which a formula allows every pair, for any arguments; maybe not all of them."""
    if isinstance(mask, Not):
        return ~possible(mask.part)
    if isinstance(mask, (And, Or)):
        return _joined(mask, certain)
    return _least(mask)


def _joined(mask: And | Or, of: Callable[[Mask], Distances]) -> Distances:
    found = of(mask.parts[0])
    for part in mask.parts[1:]:
        found = found & of(part) if isinstance(mask, And) else found | of(part)
    return found


EXACT: dict[str, Callable[..., Distances]] = {
    "full": lambda: ALL,
    "causal": lambda: Distances.of(0, inf),
    "window": lambda n: Distances.of(0, n - 1),
    "band": lambda left, right=None: Distances.of(-(left if right is None else right), left),
}
"""Predicates that depend on the distance alone."""


def _most(mask: Mask) -> Distances:
    assert isinstance(mask, Atom)
    if mask.name in EXACT:
        return EXACT[mask.name](*mask.args)
    if mask.name == "blocks":
        size, more = _blocks(mask)
        return Distances.of(1 - size * (more + 1), size * (more + 1) - 1)
    return ALL


def _least(mask: Mask) -> Distances:
    assert isinstance(mask, Atom)
    if mask.name in EXACT:
        return EXACT[mask.name](*mask.args)
    if mask.name == "blocks":
        size, more = _blocks(mask)
        return Distances.of(-size * more, size * more)
    if _is_full(mask):
        return ALL
    return Distances.of(0, 0) if mask.name in ("strided", "fixed", "documents") else NONE


def _blocks(atom: Atom) -> tuple[int, int]:
    """The size of blocks, and the number of neighbours."""
    size, *more = (int(arg) for arg in atom.args if isinstance(arg, int))
    return size, (more or [0])[0]


def _is_full(atom: Atom) -> bool:
    """Whether the arguments of a predicate make it allow all pairs."""
    if atom.name == "strided":
        return atom.args == (1,)
    if atom.name == "fixed":
        return atom.args[0] == atom.args[1]
    one = atom.args[0] if atom.args else None
    return isinstance(one, Range) and not one.start and one.stop is None


# -- one predicate and another


def implies(one: Mask, other: Mask) -> bool:
    """Whether `other` is true wherever `one` is, by their arguments; False in case of doubt."""
    if one == other:
        return True
    if isinstance(one, Not) and isinstance(other, Not):
        return implies(other.part, one.part)
    if not isinstance(one, Atom) or not isinstance(other, Atom):
        return False
    rule = _IMPLIES.get((one.name, other.name))
    return rule is not None and rule(one.args, other.args)


def _within(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether a range lies within another one, for every length of the sequence."""
    a, b = one[0], other[0]
    if not isinstance(a, Range) or not isinstance(b, Range):
        return False
    starts = (a.start or 0) >= (b.start or 0) and ((a.start or 0) < 0) == ((b.start or 0) < 0)
    if not b.start:
        starts = True
    if b.stop is None:
        return starts
    same = a.stop is not None and (a.stop < 0) == (b.stop < 0)
    return starts and same and (a.stop or 0) <= b.stop


def _apart(one: Mask, other: Mask) -> bool:
    """Whether two ranges of keys, or of queries, have nothing in common."""
    if not (isinstance(one, Atom) and isinstance(other, Atom) and one.name == other.name):
        return False
    a, b = (one.args or (None,))[0], (other.args or (None,))[0]
    if one.name not in ("keys", "queries") or not (isinstance(a, Range) and isinstance(b, Range)):
        return False
    return any(
        x.stop is not None and y.start and (x.stop < 0) == (y.start < 0) and x.stop <= y.start
        for x, y in ((a, b), (b, a))
    )


_IMPLIES: dict[tuple[str, str], Callable[[Any, Any], bool]] = {
    ("keys", "keys"): _within,
    ("queries", "queries"): _within,
    ("global", "global"): _within,
    ("keys", "global"): _within,
    ("queries", "global"): _within,
    ("strided", "strided"): lambda a, b: a[0] % b[0] == 0,
    ("blocks", "blocks"): lambda a, b: a[0] == b[0] and (*a, 0)[1] <= (*b, 0)[1],
    ("fixed", "fixed"): lambda a, b: a[0] == b[0] and a[1] <= b[1],
    ("blocks", "fixed"): lambda a, b: a[0] == b[0] and not (*a, 0)[1],
}
"""Predicates that contain others, by their arguments."""


# -- reading a part, knowing the others


@dataclass(frozen=True)
class Known:
    """What is known of the pairs for which a part matters.

    distances: all distances of such pairs, and maybe more
    true, false: formulas that are true, or false, for all of them
    """

    distances: Distances = ALL
    true: tuple[Mask, ...] = ()
    false: tuple[Mask, ...] = ()

    def beside(self, others: list[Mask], distances: Distances, kind: type[And | Or]) -> Known:
        """The same, beside other parts of an `&`, which are true, or of a `|`, which are false."""
        both = self.distances & distances
        if kind is And:
            return Known(both, (*self.true, *others), self.false)
        return Known(both, self.true, (*self.false, *others))

    def always(self, mask: Mask) -> bool:
        """Whether a formula is true for all of them."""
        return any(implies(one, mask) for one in self.true) or any(
            implies(Not(one), mask) for one in self.false
        )

    def never(self, mask: Mask) -> bool:
        """Whether a formula is false for all of them."""
        if any(implies(mask, one) for one in self.false) or any(_apart(x, mask) for x in self.true):
            return True
        return any(isinstance(one, Not) and implies(mask, one.part) for one in self.true)


@dataclass
class _Reader:
    """Simplifies formulas, and collects numbers that have no effect."""

    idle: list[tuple[Atom, int, Mask]] = field(default_factory=list)

    def read(self, mask: Mask, known: Known) -> Mask:
        if known.always(mask):
            return FULL
        if known.never(mask):
            return NOTHING
        if isinstance(mask, Not):
            part = self.read(mask.part, known)
            return part.part if isinstance(part, Not) else Not(part)
        if isinstance(mask, (And, Or)):
            return self.parts(mask, known)
        assert isinstance(mask, Atom)
        if known.distances <= certain(mask):
            return FULL
        if not (known.distances & possible(mask)).ranges:
            return NOTHING
        self.idle += _idle(mask, known.distances)
        return mask

    def parts(self, mask: And | Or, known: Known) -> Mask:
        """Reads the last part first, so that of equal parts the first one stays."""
        kind, parts = type(mask), list(mask.parts)
        neutral, ruling = (FULL, NOTHING) if kind is And else (NOTHING, FULL)
        before = list(accumulate((_open(part, kind) for part in parts), and_, initial=ALL))
        after = ALL
        for i in reversed(range(len(parts))):
            inside = known.beside(parts[:i] + parts[i + 1 :], before[i] & after, kind)
            if kind is And and parts[i] == CAUSAL and not inside.always(CAUSAL):
                inside = replace(inside, distances=known.distances)
            parts[i] = self.read(parts[i], inside)
            if parts[i] == ruling:
                return ruling
            if parts[i] == neutral:
                del parts[i]
            else:
                after &= _open(parts[i], kind)
        if not parts:
            return neutral
        return kind(tuple(parts)) if len(parts) > 1 else parts[0]


def _open(part: Mask, kind: type[And | Or]) -> Distances:
    """The distances at which a part leaves the others something to decide."""
    return possible(part) if kind is And else ~certain(part)


def _idle(atom: Atom, distances: Distances) -> Iterator[tuple[Atom, int, Mask]]:
    """The numbers of a predicate that make no difference for pairs at these distances."""
    if atom.name not in ("window", "band"):
        return
    least = NUMBERS[atom.name][0]

    def same(other: Atom) -> bool:
        return possible(other) & distances == possible(atom) & distances

    for i, number in enumerate(atom.args):
        assert isinstance(number, int)
        others = [_with(atom, i, number + step) for step in (-1, 1)]
        if number > least[i] and all(map(same, others)):
            instead = (_with(atom, i, least[i]), CAUSAL, FULL)
            yield atom, number, next(filter(same, instead), atom)


def _with(atom: Atom, place: int, number: int) -> Atom:
    number = max(number, NUMBERS[atom.name][0][place])
    return Atom(atom.name, (*atom.args[:place], number, *atom.args[place + 1 :]))
