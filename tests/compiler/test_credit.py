"""Which term of a mask allows a pair: the shares are disjoint, and together they are the mask."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwright.compiler.credit import credit, literals
from modelwright.compiler.formula import And, Atom, Formula, Not, Or, Range, parse_formula
from modelwright.compiler.rows import Given, Rows

DATA = Given(document_ids=(0,) * 5 + (1,) * 4 + (0,) * 4, prefix_length=4, global_tokens={2, 7})
TOKENS = 13


def terms(text: str) -> dict[tuple[int, ...], int]:
    """How many pairs each term admits."""
    found = credit(parse_formula(text), TOKENS, DATA)
    return {term: sum(row.bit_count() for row in rows) for term, rows in found.items()}


def test_the_first_of_several_that_admit_a_pair_has_it():
    assert terms("causal | full") == {(0,): 91, (1,): 78}
    assert terms("full | causal") == {(0,): 169}


def test_and_is_shared_out_over_or():
    found = terms("causal & (window(2) | strided(4))")
    assert list(found) == [(0, 1), (0, 2)]
    assert found[0, 1] == 25


def test_a_negation_is_one_literal():
    mask = parse_formula("~(causal | documents) | ~full")
    assert [str(literal) for literal in literals(mask)] == ["~(causal | documents)", "~full"]
    assert list(terms("~(causal | documents) | ~full")) == [(0,)]


def test_nothing_admitted_has_no_term():
    assert terms("causal & ~causal") == {}


@pytest.mark.parametrize("atom", ["prefix", "documents", "global(given)"])
def test_the_credit_of_a_mask_depends_on_its_data(atom: str):
    assert credit(parse_formula(atom), TOKENS) != credit(parse_formula(atom), TOKENS, DATA)


small = st.integers(1, 9)
LEAVES = st.one_of(
    st.sampled_from([Atom(name) for name in ("full", "causal", "prefix", "documents")]),
    st.builds(lambda n: Atom("window", (n,)), small),
    st.builds(lambda a, b: Atom("band", (a, b)), small, small),
    st.builds(lambda n: Atom("strided", (n,)), small),
    st.builds(lambda a, b: Atom("fixed", (max(a, b), min(a, b))), small, small),
    st.builds(lambda a, b: Atom("blocks", (a, b)), small, small),
    st.builds(lambda a, b, c: Atom("random", (a, b, c)), small, small, small),
    st.builds(lambda a, n: Atom("global", (Range(a, a + n),)), small, small),
    st.builds(lambda a: Atom("keys", (Range(-a, None),)), small),
    st.builds(lambda a: Atom("queries", (Range(None, a),)), small),
    st.just(Atom("global", ("given",))),
)
MASKS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts))),
        inner.map(Not),
    ),
    max_leaves=8,
)


@given(MASKS)
@settings(max_examples=150)
def test_the_shares_are_apart_and_make_the_mask(mask: Formula):
    rows = Rows(TOKENS, DATA)
    found = credit(mask, TOKENS, DATA)
    names = literals(mask)
    for query in range(TOKENS):
        shares = [of_term[query] for of_term in found.values()]
        assert sum(shares) == rows.of(mask, query)
        assert sum(share.bit_count() for share in shares) == sum(shares).bit_count()
        for term, of_term in found.items():
            for literal in term:
                assert of_term[query] & ~rows.of(names[literal], query) == 0
