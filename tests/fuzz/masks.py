"""Random mask formulas with sizes that matter for a dozen tokens."""

from __future__ import annotations

from modelwright.spec.masks import parse_mask
from modelwright.spec.simpler_masks import NOTHING, idle_numbers, simpler

from .dice import Dice

FORMS: dict[str, tuple[str, ...]] = {
    "full": ("full",),
    "causal": ("causal",),
    "window": ("window(3)", "window(1)", "window(6)"),
    "band": ("band(2)", "band(3, 1)", "band(0)", "band(0, 4)", "band(4, 0)"),
    "strided": ("strided(2)", "strided(3)", "strided(1)"),
    "fixed": ("fixed(4, 1)", "fixed(3, 3)"),
    "blocks": ("blocks(4)", "blocks(3, 1)", "blocks(1)", "blocks(2, 0)"),
    "random": ("random(4, 1)", "random(3, 2, 7)"),
    "prefix": ("prefix",),
    "documents": ("documents",),
    "global": ("global(0:1)", "global(2)", "global(given)", "global(-2:)", "global(1:3)"),
    "keys": ("keys(0:2)", "keys(3)", "keys(-2:)", "keys(1:-1)"),
    "queries": ("queries(2:5)", "queries(-3:)", "queries(1)"),
}
"""Atom -> ways to write it."""

FORWARD = ("prefix",)
"""What a decoder may add to what it sees of the past."""


def atom(dice: Dice) -> str:
    return dice.one(FORMS[dice.one(tuple(FORMS))])


def formula(dice: Dice, depth: int = 2) -> str:
    """Any formula, parentheses where they are needed and now and then where they are not."""
    if depth == 0 or dice.often(0.4):
        found = atom(dice)
    else:
        sign = dice.one(("&", "|"))
        parts = [formula(dice, depth - 1) for _ in range(dice.one((2, 2, 3)))]
        found = f" {sign} ".join(f"({p})" if " " in p else p for p in parts)
    if dice.often(0.12):
        found = f"~({found})" if " " in found else f"~{found}"
    return found


TRIES = 8


def random_mask(dice: Dice, *, causal: bool) -> str:
    """A legal formula; one for a decoder sees no future, but for what it is told to."""
    for _ in range(TRIES):
        if is_legal(found := _any_mask(dice, causal=causal)):
            return found
    return "causal" if causal else "full"


def is_legal(text: str) -> bool:
    """Does it allow some pair, and do all of its numbers matter?"""
    mask = parse_mask(text)
    return simpler(mask) != NOTHING and not idle_numbers(mask)


def _any_mask(dice: Dice, *, causal: bool) -> str:
    if dice.often(0.25):
        return "causal" if causal else "full"
    found = formula(dice)
    if not causal:
        return found
    inner = f"({found})" if " | " in found else found
    seen = f"causal & {inner}"
    return f"{seen} | {dice.one(FORWARD)}" if dice.often(0.08) else seen
