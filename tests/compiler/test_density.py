"""The share of allowed pairs equals that in the reference's table of all pairs."""

from __future__ import annotations

import pytest

from modelwright.backends.reference import Pairs, admits
from modelwright.compiler import density as counting
from modelwright.compiler.density import density
from modelwright.compiler.formula import parse_formula

FORMULAS = [
    "full",
    "causal",
    "window(5)",
    "window(500)",
    "band(3)",
    "band(2, 7)",
    "band(0, 500)",
    "causal & window(6)",
    "causal & band(9, 4)",
    "window(3) & band(0, 2)",
    "strided(3)",
    "causal & strided(4)",
    "fixed(8, 3)",
    "causal & fixed(8, 3)",
    "blocks(7)",
    "blocks(7, 2)",
    "causal & blocks(16)",
    "random(4, 3)",
    "random(5, 2, 9)",
    "global(4)",
    "global(3:9)",
    "global(-5:)",
    "keys(:-6)",
    "queries(-60:8)",
    "keys(2:4) | queries(3:)",
    "~causal",
    "~(blocks(4) | strided(5))",
    "blocks(4, 1) | global(0:4) | global(-4:) | random(4, 3)",
    "documents & causal",
    "causal | prefix",
    "band(4) | global(given)",
]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("tokens", [1, 2, 13, 50])
@pytest.mark.parametrize("formula", FORMULAS)
def test_density_is_the_mean_of_the_table(formula, tokens):
    mask = parse_formula(formula)
    table = admits(mask, Pairs.of(tokens))
    table = table if table.ndim == 2 else table[0]
    assert density(mask, tokens) == pytest.approx(table.mean(), abs=1e-15)


@pytest.mark.parametrize("tokens", [5_000, 200_000, 100_000_000])
def test_bands_are_exact_at_any_length(tokens):
    assert density(parse_formula("full"), tokens) == 1
    assert density(parse_formula("causal"), tokens) == (tokens + 1) / (2 * tokens)
    window = 100 * tokens - 100 * 99 // 2
    assert density(parse_formula("causal & window(100)"), tokens) == window / tokens**2


@pytest.mark.parametrize(
    "formula",
    [
        "causal & blocks(1000)",
        "causal & strided(64)",
        "causal & fixed(128, 8)",
        "blocks(64, 1) | global(0:64) | global(-64:) | random(64, 3)",
        "band(512) & strided(4)",
        "~causal & strided(2)",
    ],
)
def test_long_sequences_are_sampled_well(formula, monkeypatch):
    mask = parse_formula(formula)
    sampled = density(mask, 9000)
    monkeypatch.setattr(counting, "EXACT", 9000)
    exact = density(mask, 9000)
    assert sampled == pytest.approx(exact, rel=1e-3)
    assert 0 < exact < 1


def test_rows_are_fewer_where_random_has_many_blocks():
    assert density(parse_formula("random(1, 5)"), 3000) == pytest.approx(5 / 3000)


def test_few_rows_do_not_overrate_what_opens_whole_rows():
    mask = parse_formula("blocks(2, 1) | global(0:2) | random(2, 2)")
    tokens = 4096
    about = (6 + 2 + 4 + 2) / tokens
    assert density(mask, tokens, rows=400) == pytest.approx(about, rel=0.02)
    assert density(mask, tokens) == pytest.approx(about, rel=0.02)


def test_neighbours_share_what_random_draws_where_blocks_are_many():
    mask = parse_formula("causal & random(8, 5)")
    assert density(mask, 20_000) == pytest.approx(5 * 8 / 20_000 / 2, rel=0.1)


def test_no_tokens_admit_nothing():
    assert density(parse_formula("full"), 0) == 0
