"""Formulas on a graph: those of the spec, as separate objects that print the same."""

from __future__ import annotations

import pytest
from graphs import EXAMPLES, NAMES, lowered

from modelwright import load, lower
from modelwright.compiler.formula import (
    And,
    Atom,
    Formula,
    Not,
    Or,
    Range,
    atoms,
    formula_of,
    parse_formula,
    plain,
)
from modelwright.spec import masks

TEXTS = [
    "full",
    "causal & window(4) & ~strided(3)",
    "~(causal | band(2, 5)) & (documents | prefix)",
    "blocks(4, 1) | global(0:4) | global(-4:) | random(4, 3, 0)",
    "global(given) | keys(2:) & queries(:-3)",
    "fixed(8, 2) | ~full",
]


@pytest.mark.parametrize("text", TEXTS)
def test_formulas_print_and_count_as_masks_do(text: str) -> None:
    mask = masks.parse_mask(text)
    formula = formula_of(mask)
    assert str(formula) == str(mask) == text
    assert [str(atom) for atom in atoms(formula)] == [str(atom) for atom in masks.atoms(mask)]
    assert formula_of(formula) is formula
    assert parse_formula(str(formula)) == formula


def test_formulas_are_trees_of_their_own() -> None:
    formula = parse_formula("~causal & (window(2) | keys(1:))")
    assert formula == And(
        (Not(Atom("causal")), Or((Atom("window", (2,)), Atom("keys", (Range(1, None),)))))
    )
    assert And((Atom("full"), And((Atom("causal"), Atom("prefix"))))).parts == (
        Atom("full"),
        Atom("causal"),
        Atom("prefix"),
    )
    with pytest.raises(masks.MaskError, match="window"):
        parse_formula("window(0)")


def test_numbers_of_a_lowered_formula_are_named() -> None:
    graph = lowered("mask=causal & window(5)")
    (mask,) = [op for op in graph.ops() if op.kind == "mask"]
    (_, window) = atoms(mask.attrs["formula"])
    assert [field.name for field in window.args[0].fields()] == ["window"]
    assert type(plain(window).args[0]) is int
    assert str(plain(window)) == str(window) == "window(5)"


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", NAMES)
def test_graphs_hold_no_mask_of_the_spec(name: str) -> None:
    for op in lower(load(EXAMPLES / f"{name}.yaml")).ops():
        formula = op.attrs.get("formula")
        parts = formula if isinstance(formula, tuple) else (formula,)
        assert all(part is None or isinstance(part, Formula) for part in parts), op.kind
        assert all(isinstance(limits, Range) for limits in op.attrs.get("ranges", ()))


def test_a_formula_shows_its_panel() -> None:
    assert (parse_formula("causal")._repr_svg_() or "").startswith("<svg")
