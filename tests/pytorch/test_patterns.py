"""What repeats from layer to layer: the same for every layer, written as a person would."""

from __future__ import annotations

import random

import pytest

from modelwright.backends.pytorch.code.layout import flat
from modelwright.backends.pytorch.code.nodes import Name
from modelwright.backends.pytorch.patterns import by_layer, fold, runs


@pytest.mark.parametrize(
    ("order", "text"),
    [
        ("aaaaab" * 4, "a if i % 6 < 5 else b"),
        ("aaaaab" * 4 + "aa", "a if i % 6 < 5 else b"),
        ("ab" * 3, "a if i % 2 == 0 else b"),
        ("aaab", "a if i < 3 else b"),
        ("abbb", "a if i == 0 else b"),
        ("abcabc", "(a, b, c)[i % 3]"),
        ("a" + "bbc" * 4, "a if i == 0 else c if i % 3 == 0 else b"),
        ("a" + "bbcbbcbbcbbc"[:-1], "a if i == 0 else c if i % 3 == 0 else b"),
        ("aabbaab", "(a, a, b, b)[i % 4]"),
        ("a" * 5 + "b" * 4 + "ab", "((a,) * 5 + (b,) * 4 + (a,) + (b,))[i]"),
    ],
)
def test_as_a_person_would(order: str, text: str) -> None:
    if order == "aabbaab":
        assert fold(order) == 4
        text = "a if i % 4 < 2 else b"
    assert flat(by_layer([Name(letter) for letter in order])) == text


def test_every_layer_gets_its_own() -> None:
    dice = random.Random(0)
    for _ in range(500):
        order = [dice.choice("abc") for _ in range(dice.randint(1, 14))]
        if dice.random() < 0.6:
            order = (order[:4] * 5)[: dice.randint(1, 16)]
        value = flat(by_layer([Name(letter) for letter in order]))
        found = [eval(value, {"a": "a", "b": "b", "c": "c", "i": i}) for i in range(len(order))]
        assert found == order, value


def test_runs_are_folded() -> None:
    parts = [Name("a")] * 3 + [Name("b")] * 58
    assert flat(runs(parts)) == "(a,) * 3 + (b,) * 58"
    assert flat(runs(parts[:4])) == "(a, a, a, b)"
