"""Sizes that know their names, and polynomials in the symbolic axes."""

from __future__ import annotations

import copy
import json

import pytest

from modelwright.compiler.axes import GLOSSARY, ONE, B, Dim, M, S, T, show
from modelwright.compiler.cost import Poly, elements
from modelwright.compiler.sizes import Field, IndivisibleError, Size, number

D_MODEL, HEADS = Field("d_model", 768), Field("heads", 12)


@pytest.fixture
def d_model() -> Size:
    return Size.of(D_MODEL)


@pytest.fixture
def heads() -> Size:
    return Size.of(HEADS)


# -- sizes


def test_sizes_must_be_ints(d_model: Size) -> None:
    assert d_model == 768
    assert isinstance(d_model, int)
    assert json.dumps([d_model]) == "[768]"
    assert {d_model: 1}[768] == 1
    assert f"{d_model:,}" == "768"
    assert d_model / 2 == 384.0
    assert d_model > 767


def test_a_number_equal_to_one_is_not_a_constant(d_model: Size) -> None:
    """A Config may have another one."""
    one = Size.of(Field("heads", 1))
    assert (d_model // one).code() == "d_model // heads"
    assert (d_model * one).code() == "d_model * heads"
    assert (d_model // 1).code() == (1 * d_model).code() == "d_model"


def test_arithmetic_carries_names(d_model: Size, heads: Size) -> None:
    cases = {
        "d_model": d_model,
        "3 * d_model": 3 * d_model,
        "d_model * 3": d_model * 3,
        "d_model // heads": d_model // heads,
        "d_model + 2": d_model + 2,
        "heads * 64": heads * 64,
        "(d_model + 2) * 3": (d_model + 2) * 3,
        "d_model + 2 * heads": d_model + 2 * heads,
        "8 * d_model // 3": 8 * d_model // 3,
        "d_model // (heads * 2)": d_model // (heads * 2),
        "heads * (d_model // 6)": heads * (d_model // 6),
        "d_model // 2 // 3": d_model // 2 // 3,
    }
    values = {"d_model": 768, "heads": 12}
    for code, size in cases.items():
        assert isinstance(size, Size), code
        assert size.code() == code
        assert eval(code, {}, values) == int(size)


def test_code_takes_a_prefix(d_model: Size, heads: Size) -> None:
    size = 4 * (d_model // heads)
    assert size.code("config.") == "4 * (config.d_model // config.heads)"
    assert size.fields() == [D_MODEL, HEADS]
    assert Size.of(7).code("config.") == "7"
    assert Size.of(7).fields() == []


def test_operations_without_effect_are_not_emitted(d_model: Size, heads: Size) -> None:
    assert (d_model * 1).code() == "d_model"
    assert (1 * d_model).code() == "d_model"
    assert (d_model + 0).code() == "d_model"
    assert (d_model // 1).code() == "d_model"
    assert (heads * (d_model // heads)).code() == "d_model"
    assert int(heads * (d_model // heads)) == 768


def test_heads_that_do_not_divide_are_refused() -> None:
    heads = Size.of(Field("heads", 7))
    with pytest.raises(IndivisibleError, match=r"d_model \(768\) must be a multiple of heads"):
        Size.of(D_MODEL) // heads


def test_numbers_that_are_not_sizes(d_model: Size) -> None:
    assert d_model * 0.5 == 384.0
    assert type(d_model * 0.5) is float
    assert type(0.5 * d_model) is float
    assert type(d_model + 0.5) is float
    assert type(d_model // 2.0) is float


def test_a_renamed_field_renames_its_sizes() -> None:
    field = Field("window", 512)
    size = 2 * Size.of(field)
    field.name = "local_window"
    assert size.code("self.") == "2 * self.local_window"


def test_copies_keep_the_name(d_model: Size) -> None:
    assert copy.deepcopy([3 * d_model])[0].code() == "3 * d_model"


def test_plain_numbers(d_model: Size) -> None:
    assert number(d_model) == 768
    assert type(number(d_model)) is int
    assert number(Field("eps", 1e-5)) == 1e-5
    assert number("word") == "word"
    assert number(None) is None


# -- axes


def test_every_letter_is_explained() -> None:
    assert {dim.label for dim in (B, T, S, M)} <= set(GLOSSARY)
    assert len(set(GLOSSARY.values())) == len(GLOSSARY)


def test_axes_multiply(heads: Size) -> None:
    both = Dim("H", heads) * Dim("E", Size.of(64))
    assert (both.label, int(both.size or 0)) == ("H*E", 768)


def test_shapes_are_shown_as_tuples() -> None:
    assert show((B, T)) == "(B, T)"
    assert show((B,)) == "(B,)"
    assert show((B, ONE, T, S)) == "(B, 1, T, S)"


# -- polynomials

b, t, s = (Poly.of(letter) for letter in "BTS")


def test_sums_and_products() -> None:
    assert str(b * t + t * b) == "2*B*T"
    assert str((b + 1) * (b + 1)) == "B^2 + 2*B + 1"
    assert str(3 * b + 2) == "3*B + 2"
    assert str(sum([b, t, b], Poly())) == "2*B + T"
    assert (b + t) * s == b * s + t * s
    assert b * 0 == Poly()
    assert str(Poly()) == "0"
    assert str(b + -1 * b) == "0"
    assert str(0.5 * t * s) == "0.5*S*T"


@pytest.mark.parametrize(("batch", "tokens", "seen"), [(1, 1, 1), (2, 3, 5), (8, 1024, 4096)])
def test_substitution(batch: int, tokens: int, seen: int) -> None:
    poly = 2 * b * t * s * 64 + 7 * b * t + 3
    expected = 2 * batch * tokens * seen * 64 + 7 * batch * tokens + 3
    assert poly.at(B=batch, T=tokens, S=seen) == expected
    text = str(poly).replace("^", "**")
    assert eval(text, {}, {"B": batch, "T": tokens, "S": seen}) == expected


def test_large_numbers_stay_exact() -> None:
    assert (b * 12345678901234567).at(B=3) == 3 * 12345678901234567
    assert isinstance((b * 2).at(B=3), int)


def test_an_axis_without_a_length_is_an_error() -> None:
    with pytest.raises(KeyError, match="S"):
        (b * s).at(B=1)


def test_elements_of_a_shape(d_model: Size) -> None:
    assert str(elements((B, T, Dim("D", d_model)))) == "768*B*T"
    assert str(elements(())) == "1"
