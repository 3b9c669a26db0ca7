"""The mask formulas: grammar, canonical form, and which masks look ahead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.spec.masks import (
    ATOMS,
    And,
    Atom,
    Mask,
    MaskError,
    Not,
    Or,
    Range,
    atoms,
    parse_mask,
)
from modelwright.spec.simpler_masks import admits_future

CAUSAL, FULL = Atom("causal"), Atom("full")


@pytest.mark.parametrize(
    "text, mask",
    [
        ("causal", CAUSAL),
        ("causal & window(4)", And((CAUSAL, Atom("window", (4,))))),
        (
            "causal & window(4) | ~documents",
            Or((And((CAUSAL, Atom("window", (4,)))), Not(Atom("documents")))),
        ),
        ("causal & (full | prefix)", And((CAUSAL, Or((FULL, Atom("prefix")))))),
        ("causal & full & causal", And((CAUSAL, FULL, CAUSAL))),
        ("band(4, 0)", Atom("band", (4, 0))),
        ("random(64, 3)", Atom("random", (64, 3, 0))),
        ("global(8)", Atom("global", (Range(0, 8),))),
        ("global(-64:)", Atom("global", (Range(-64, None),))),
        ("keys(:3)", Atom("keys", (Range(None, 3),))),
        ("global(given)", Atom("global", ("given",))),
        ("~~causal", Not(Not(CAUSAL))),
    ],
)
def test_grammar(text: str, mask: Mask) -> None:
    assert parse_mask(text) == mask


def test_nested_joins_are_taken_apart() -> None:
    assert parse_mask("causal & (full & prefix)") == parse_mask("(causal & full) & prefix")
    assert (CAUSAL & FULL) & Atom("prefix") == parse_mask("causal & full & prefix")
    assert str(~(CAUSAL | FULL)) == "~(causal | full)"


@pytest.mark.parametrize(
    "text, offset",
    [
        ("", 0),
        ("causal &", 8),
        ("causal full", 7),
        ("(causal", 7),
        ("causal)", 6),
        ("causal & windw(4)", 9),
        ("window(a)", 0),
        ("window(4", 8),
        ("window(4, 4)", 0),
        ("window(0)", 0),
        ("causal()x", 8),
        ("band(1 2)", 7),
        ("band(-1)", 0),
        ("fixed(4, 5)", 0),
        ("random(4)", 0),
        ("keys(given)", 0),
        ("global(5:2)", 0),
        ("global(" + "9" * 30 + ")", 7),
        ("causal ^ full", 7),
    ],
)
def test_mistakes_know_their_place(text: str, offset: int) -> None:
    with pytest.raises(MaskError) as caught:
        parse_mask(text)
    assert caught.value.offset == offset


@pytest.mark.parametrize(
    "text, ahead",
    [
        ("full", True),
        ("causal", False),
        ("window(4)", False),
        ("band(4)", True),
        ("band(0)", False),
        ("band(4, 0)", False),
        ("blocks(1)", False),
        ("blocks(2)", True),
        ("causal & full", False),
        ("causal | prefix", True),
        ("~causal", True),
        ("~full", False),
        ("causal & ~window(4)", False),
        ("~strided(1) | causal", False),
        ("documents & causal", False),
        ("global(given)", True),
    ],
)
def test_which_look_ahead(text: str, ahead: bool) -> None:
    assert admits_future(parse_mask(text)) is ahead


def test_atoms_are_found_from_left_to_right() -> None:
    mask = parse_mask("causal & (window(4) | ~prefix) & full")
    assert [a.name for a in atoms(mask)] == ["causal", "window", "prefix", "full"]


def test_a_tree_is_checked_as_a_formula_is() -> None:
    with pytest.raises(MaskError):
        Atom("windw", (4,))
    with pytest.raises(MaskError):
        Atom("window", (True,))
    with pytest.raises(MaskError):
        And((CAUSAL,))


def leaves() -> st.SearchStrategy[Mask]:
    small = st.integers(1, 99)
    ends = st.one_of(st.none(), st.integers(0, 99))
    ranges = st.builds(lambda a, n: Range(a, None if n is None else (a or 0) + n + 1), ends, ends)
    return st.one_of(
        st.sampled_from([Atom(n) for n in ("full", "causal", "prefix", "documents")]),
        small.map(lambda n: Atom("window", (n,))),
        st.tuples(small, small).map(lambda a: Atom("band", a)),
        small.map(lambda n: Atom("strided", (n,))),
        st.tuples(small, small).map(lambda a: Atom("fixed", (max(a), min(a)))),
        st.tuples(small, small, small).map(lambda a: Atom("random", a)),
        st.tuples(st.sampled_from(["global", "keys", "queries"]), ranges).map(
            lambda a: Atom(a[0], (a[1],))
        ),
        st.just(Atom("global", ("given",))),
    )


MASKS = st.recursive(
    leaves(),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map(lambda p: And(tuple(p))),
        st.lists(inner, min_size=2, max_size=4).map(lambda p: Or(tuple(p))),
        inner.map(Not),
    ),
    max_leaves=12,
)


@given(MASKS)
def test_printed_masks_read_back(mask: Mask) -> None:
    assert parse_mask(str(mask)) == mask


@given(st.text(alphabet="causlwindo()&|~,:0123456789- ", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    offset = 0
    try:
        mask = parse_mask(text)
    except MaskError as error:
        offset = error.offset
    else:
        assert all(atom.name in ATOMS for atom in atoms(mask))
    assert 0 <= offset <= len(text)
