"""Find inputs for which experts have equal scores, so that outputs cannot be compared."""

from __future__ import annotations

from ..arguments import Data
from ..measure import EXACT
from ..subject import Subject


def tied_at(subject: Subject, data: Data, closest: float = EXACT) -> bool:
    """Whether scores of a router are so close that rounding may change the choice."""
    return subject.chooses and subject.choices(data).margin <= closest
