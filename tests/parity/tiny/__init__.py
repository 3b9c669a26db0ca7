"""Tiny models of `transformers`: any type under any head, with random weights, in a second."""

from __future__ import annotations

from .cases import Case, text_cases, tower_cases
from .inputs import questions
from .models import fresh, saved
from .variants import variant_cases

__all__ = ["Case", "all_cases", "fresh", "questions", "saved"]


def all_cases() -> list[Case]:
    """Every case there is, sorted by type, head and variant."""
    cases = [*text_cases(), *tower_cases(), *variant_cases()]
    return sorted(cases, key=lambda case: (case.model_type, case.head, case.variant))
