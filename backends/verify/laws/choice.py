"""Where experts tie, no number can be compared: which data that concerns."""

from __future__ import annotations

from ..arguments import Data
from ..measure import EXACT
from ..subject import Subject


def tied_at(subject: Subject, data: Data, closest: float = EXACT) -> bool:
    """Does a router choose so closely that rounding may choose another expert?"""
    return subject.chooses and subject.choices(data).margin <= closest
