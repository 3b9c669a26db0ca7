"""Formulas are simplified to equal ones, and numbers without effect are found."""

from __future__ import annotations

import numpy as np
import pytest
from fuzz.dice import seeded
from fuzz.masks import formula
from mask_pairs import table

import modelwright as mw
from modelwright.spec import SpecErrors, loads
from modelwright.spec.masks import And, Atom, Mask, Not, Or, atoms, parse_mask
from modelwright.spec.simpler_masks import NOTHING, idle_numbers, simpler, simplest

GPT = "name: t\nfamily: decoder-only\nvocab_size: 9\nd_model: 8\nattention: {heads: 2}\nlayers: 1\n"


@pytest.mark.parametrize(
    "text, short",
    [
        ("causal & full", "causal"),
        ("full | prefix", "full"),
        ("causal & causal", "causal"),
        ("~~causal", "causal"),
        ("~~~causal", "~causal"),
        ("causal | window(4)", "causal"),
        ("window(4) | causal", "causal"),
        ("causal & (causal | prefix)", "causal"),
        ("causal | causal & documents", "causal"),
        ("window(4) & window(8)", "window(4)"),
        ("causal & strided(1)", "causal"),
        ("global(4) | global(0:8)", "global(0:8)"),
        ("global(4) | keys(4)", "global(0:4)"),
        ("strided(4) | strided(2)", "strided(2)"),
        ("documents | ~documents", "full"),
        ("causal & keys(:)", "causal"),
        ("causal & window(4)", "causal & window(4)"),
        ("causal & band(4)", "causal & band(4)"),
        ("band(4) & ~window(2)", "band(4) & ~window(2)"),
        ("causal | prefix", "causal | prefix"),
    ],
)
def test_simpler_formulas(text: str, short: str) -> None:
    assert simpler(parse_mask(text)) == parse_mask(short)


def test_equal_masks_of_all_heads_are_one() -> None:
    assert simplest((parse_mask("causal"), parse_mask("causal & full"))) == parse_mask("causal")
    assert len(simplest((parse_mask("causal"), parse_mask("full")))) == 2  # type: ignore[arg-type]


def test_a_mask_that_means_causal_is_compiled_as_causal() -> None:
    def emitted(mask: str) -> list[str]:
        lines = mw.emit(mw.loads(GPT + f"mask: {mask}\n", "x.yaml")).splitlines()
        return [line for line in lines if "sha256" not in line]

    for mask in ("causal & full", "~~causal", "[causal, causal]", "causal | window(4)"):
        assert emitted(mask) == emitted("causal")


@pytest.mark.parametrize(
    "text",
    ["~full", "causal & ~causal", "causal & window(8) & ~window(9)", "~causal & window(3)",
     "documents & ~documents", "keys(0:4) & keys(8:12)", "queries(2:) & queries(:2)"],
)  # fmt: skip
def test_a_mask_that_allows_nothing_is_refused(text: str) -> None:
    with pytest.raises(SpecErrors, match="no query can attend to any key"):
        loads(GPT + f"mask: '{text}'\n")


@pytest.mark.parametrize(
    "text, number, instead",
    [
        ("causal & band(4, 9)", 9, "band(4, 0)"),
        ("causal & (band(4, 9) | prefix)", 9, "band(4, 0)"),
        ("causal | band(4, 9)", 4, "band(0, 9)"),
        ("window(1000) & blocks(8)", 1000, "causal"),
        ("~causal & band(3, 5)", 3, "band(0, 5)"),
    ],
)
def test_a_number_without_effect_is_refused(text: str, number: int, instead: str) -> None:
    with pytest.raises(SpecErrors) as caught:
        loads(GPT + f"mask: '{text}'\n")
    (problem,) = caught.value.problems
    assert f"`{number}` in " in problem.message
    assert f"; write `{instead}`" in problem.message


def test_simpler_formulas_are_equal() -> None:
    changed = 0
    for seed in range(300):
        mask = parse_mask(formula(seeded(seed), 3))
        short = simpler(mask)
        changed += short != mask
        assert simpler(short) == short
        for tokens in (1, 3, 12):
            np.testing.assert_array_equal(
                table(mask, tokens, seed), table(short, tokens, seed), err_msg=f"{mask} -> {short}"
            )
    assert changed > 60


def test_idle_numbers_change_nothing() -> None:
    found = 0
    for seed in range(300):
        short = simpler(parse_mask(formula(seeded(seed), 3)))
        for atom, _, other in idle_numbers(short):
            if sum(one == atom for one in atoms(short)) == 1:
                found += 1
                changed = _with(short, atom, other)
                assert (table(short, 12, seed) == table(changed, 12, seed)).all(), f"{short}"
    assert found > 5


def _with(mask: Mask, old: Atom, new: Mask) -> Mask:
    if isinstance(mask, (And, Or)):
        return type(mask)(tuple(_with(part, old, new) for part in mask.parts))
    if isinstance(mask, Not):
        return Not(_with(mask.part, old, new))
    return new if mask == old else mask


def test_long_formulas_are_read_at_once() -> None:
    assert simpler(parse_mask("&".join(["prefix"] * 140))) == Atom("prefix")
    deep = "(" * 20 + "prefix" + "|keys(3:4)&prefix)" * 20
    assert simpler(parse_mask(deep)) == Atom("prefix")
    assert simpler(parse_mask("&".join(f"~keys({i}:)" for i in range(1, 80)))) == parse_mask(
        "~keys(1:)"
    )
    assert simpler(parse_mask("&".join(f"keys({i}:{i + 1})" for i in range(80)))) == NOTHING
