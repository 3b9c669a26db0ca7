"""Masks in other words have one canonical formula, which allows the same pairs."""

from __future__ import annotations

import random

import numpy as np
import pytest
from fuzz.dice import seeded
from fuzz.masks import formula
from mask_pairs import table

from modelwright.spec.canonical_masks import canonical
from modelwright.spec.masks import And, Atom, Mask, Not, Or, parse_mask

CASES = 250


def reworded(mask: Mask, dice: random.Random) -> Mask:
    """Another way to write a formula."""
    if isinstance(mask, (And, Or)):
        parts = [reworded(part, dice) for part in mask.parts]
        dice.shuffle(parts)
        parts += [dice.choice(parts)] * (dice.random() < 0.2)
        other = Or if isinstance(mask, And) else And
        opposite = Not(other(tuple(map(Not, parts))))
        made: Mask = opposite if dice.random() < 0.2 else type(mask)(tuple(parts))
    elif isinstance(mask, Not):
        made = Not(reworded(mask.part, dice))
    else:
        contained = mask == Atom("band", (4, 0)) or getattr(mask, "name", "") == "window"
        made = And((mask, Atom("causal"))) if contained and dice.random() < 0.5 else mask
    return Not(Not(made)) if dice.random() < 0.15 else made


def test_other_words_have_the_same_formula() -> None:
    changed = 0
    for seed in range(CASES):
        mask = parse_mask(formula(seeded(seed), 3))
        found, other = canonical(mask), reworded(mask, random.Random(seed))
        changed += other != mask
        assert isinstance(found, Mask)
        assert canonical(other) == found, f"{mask} || {other}"
        assert canonical(found) == found, f"{mask} -> {found}"
        for tokens in (1, 12):
            pairs = (table(one, tokens, seed) for one in (mask, found))
            np.testing.assert_array_equal(*pairs, err_msg=f"{mask} -> {found}")
    assert changed > CASES // 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("prefix | causal", "causal | prefix"),
        ("window(4) & (causal | documents)", "causal & window(4)"),
        ("random(4, 1) | global(-2:) | blocks(4) | global(2)",
         "blocks(4) | global(0:2) | global(-2:) | random(4, 1, 0)"),
        ("causal & documents | window(3)", "causal & (window(3) | documents)"),
        ("~(~documents | ~keys(:9))", "documents & keys(0:9)"),
        ("~window(3) & documents", "~window(3) & documents"),
        ("documents & ~documents", "~full"),
        ("band(4, 4)", "band(4, 4)"),
    ],
)  # fmt: skip
def test_canonical_formulas(text: str, expected: str) -> None:
    assert canonical(parse_mask(text)) == parse_mask(expected)


def test_lists_keep_their_order() -> None:
    window, full = parse_mask("window(3)"), parse_mask("full")
    assert canonical((full, window)) == (full, parse_mask("causal & window(3)"))
    assert canonical((window, parse_mask("window(3) & causal"))) == parse_mask("causal & window(3)")


def test_long_formulas_are_read_at_once() -> None:
    parts = " | ".join(f"keys({i}:{i + 2}) & window({i + 1})" for i in range(0, 60, 3))
    assert canonical(parse_mask(parts)) == canonical(Not(Not(parse_mask(f"({parts})"))))
