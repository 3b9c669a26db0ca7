"""The score of each area, and the surviving mutants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from .areas import AREAS, Area
from .mutants import Mutant
from .operators import KINDS
from .tried import SURVIVED, Outcome

EQUIVALENT = Path(__file__).with_name("equivalent.yaml")
MOST = 0.05
"""The largest share of an area's mutants that may be declared equivalent."""


@dataclass(frozen=True)
class Equivalent:
    """A mutant that computes the same: where it is, what it replaces, and the proof in one line."""

    file: str
    scope: str
    before: str
    after: str
    proof: str

    def is_of(self, mutant: Mutant) -> bool:
        same = (mutant.path, mutant.scope) == (self.file, self.scope)
        return same and (squeezed(mutant.before), squeezed(mutant.after)) == (
            squeezed(self.before),
            squeezed(self.after),
        )


def squeezed(text: str) -> str:
    return "".join(text.split())


@cache
def equivalents() -> tuple[Equivalent, ...]:
    found = yaml.safe_load(EQUIVALENT.read_text(encoding="utf-8")) or []
    return tuple(Equivalent(**{key: str(value) for key, value in one.items()}) for one in found)


def proof(mutant: Mutant) -> str:
    """Why a mutant is equivalent; "" where nobody says that it is."""
    return next((one.proof for one in equivalents() if one.is_of(mutant)), "")


@dataclass(frozen=True)
class Score:
    """The mutants of an area that were tried, and how many of them were found by what."""

    area: Area
    tried: int
    by: Counter[str]
    equivalent: int
    survivors: tuple[Mutant, ...]

    @property
    def share(self) -> float:
        """Found, of those that are not equivalent."""
        left = self.tried - self.equivalent
        return 1 - len(self.survivors) / left if left else 1.0

    @property
    def computing(self) -> float:
        """The share of those that compile something: a fault that raises is easy to find."""
        found = self.by["laws"] + self.by["tests"]
        return found / (found + len(self.survivors)) if found + len(self.survivors) else 1.0

    @property
    def holds(self) -> bool:
        few = self.equivalent <= MOST * max(self.tried, 20)
        return self.share >= self.area.goal and few


def scores(mutants: Sequence[Mutant], done: dict[str, Outcome]) -> list[Score]:
    found = []
    for area in AREAS:
        own = [one for one in mutants if one.area == area.name and one.identity in done]
        by = Counter(done[one.identity].by for one in own)
        alive = [one for one in own if done[one.identity].by == SURVIVED]
        left = tuple(one for one in alive if not proof(one))
        if own:
            found.append(Score(area, len(own), by, len(alive) - len(left), left))
    return found


WAYS = ("laws", "raised", "tests", "endless")


def rendered(found: Sequence[Score]) -> str:
    """A table of areas, one of kinds of faults among the survivors, and the survivors."""
    head = ["area", "tried", *WAYS, "equivalent", "survived", "score", "goal", "not raised"]
    rows = [head]
    for one in found:
        numbers = [one.tried, *(one.by[way] for way in WAYS), one.equivalent, len(one.survivors)]
        shares = f"{one.share:.1%}", f"{one.area.goal:.0%}", f"{one.computing:.1%}"
        rows.append([one.area.name, *map(str, numbers), *shares])
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = [_aligned(row, widths) for row in rows]
    survivors = [one for score in found for one in score.survivors]
    kinds = Counter(one.kind for one in survivors)
    if kinds:
        lines += ["", "survivors: " + ", ".join(f"{kinds[k]} {k}" for k in KINDS if kinds[k])]
    lines += [f"  {one.identity} {one}" for one in survivors]
    return "\n".join(lines)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    words = [word.rjust(width) for word, width in zip(row, widths, strict=True)]
    return "  ".join([row[0].ljust(widths[0]), *words[1:]])
