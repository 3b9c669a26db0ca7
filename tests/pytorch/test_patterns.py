"""Patterns over layers: right for every number of layers, and readable."""

from __future__ import annotations

import random
from typing import Any

import pytest

from modelwright.backends.pytorch.code.flat import flat
from modelwright.backends.pytorch.code.nodes import Name
from modelwright.backends.pytorch.code.read import constant
from modelwright.backends.pytorch.patterns import Counts, by_layer, counts, fold, runs
from modelwright.compiler.graph import ModuleGraph, Scope
from modelwright.compiler.index import Index
from modelwright.compiler.layer_rule import LayerRule, Override
from modelwright.compiler.sizes import Field, Size

BLOCKS = "abcd"
FIRST_THREE = Override(0, 2, "a")
NAMED_THREE = Override(0, 2, "a", count=Size.of(Field("a_layers", 3)))
FIRST, LAST = Override(0, 0, "a"), Override(-1, -1, "a")
LAST_CHANGED = Override(-1, -1, "", (("b", "c"),))


def scope(rule: LayerRule, count: int) -> Scope:
    layers = Size.of(Field("layers", count))
    order, modules = rule.order(count), tuple(range(count))
    return Scope(
        "layers", "layers", "layers", "", layers=layers, order=order, rule=rule, modules=modules
    )


def written(rule: LayerRule, count: int = 12, values: dict[str, Any] | None = None) -> str:
    found = values or {name: Name(name) for name in BLOCKS}

    def number(size: Any) -> Any:
        return Name(size.code()) if isinstance(size, Size) else constant(size)

    return flat(by_layer(scope(rule, count), found, number))


@pytest.mark.parametrize(
    ("pattern", "overrides", "text"),
    [
        ("aaaaab", (), "a if i % 6 < 5 else b"),
        ("ab", (), "a if i % 2 == 0 else b"),
        ("abab", (), "a if i % 2 == 0 else b"),
        ("abc", (), "(a, b, c)[i % 3]"),
        ("b", (FIRST_THREE,), "a if i < 3 else b"),
        (
            "b",
            (NAMED_THREE,),
            "a if i < a_layers else b",
        ),
        ("b", (Override(-1, -1, "a"),), "a if i == layers - 1 else b"),
        ("b", (Override(-2, -1, "a"),), "a if i >= layers - 2 else b"),
        ("b", (Override(0, -3, "a"),), "a if i < layers - 2 else b"),
        ("b", (Override(2, -2, "a"),), "a if 2 <= i <= layers - 2 else b"),
        ("b", (Override(1, 1, "a"), Override(4, 4, "a")), "a if i in (1, 4) else b"),
        (
            "b",
            (Override(0, 0, "a"), Override(-1, -1, "a")),
            "a if i == 0 or i == layers - 1 else b",
        ),
        ("abb", (Override(0, 0, "", (("a", "c"),)),), "c if i == 0 else a if i % 3 == 0 else b"),
        ("a", (Override(0, 0, "a"),), "a"),
    ],
)
def test_as_a_person_would(pattern: str, overrides: tuple[Override, ...], text: str) -> None:
    assert written(LayerRule(tuple(pattern), overrides, tuple(BLOCKS))) == text


def random_rule(dice: random.Random) -> LayerRule:
    pattern = [dice.choice("ab") for _ in range(dice.randint(1, 5))]
    overrides = []
    for _ in range(dice.randint(0, 4)):
        first, last = dice.randint(-4, 4), dice.randint(-4, 4)
        if (first < 0) == (last < 0):
            first, last = sorted((first, last))
        change = tuple((name, dice.choice("cd")) for name in BLOCKS if dice.random() < 0.7)
        named = dice.choice("abc") if dice.random() < 0.5 else ""
        overrides.append(Override(first, last, named, () if named else change))
    return LayerRule(tuple(pattern), tuple(overrides), tuple(BLOCKS[: dice.randint(2, 4)]))


def test_every_layer_gets_its_own_for_every_number_of_layers() -> None:
    dice, tried = random.Random(0), 0
    for _ in range(150):
        rule, default = random_rule(dice), dice.randint(0, 9)
        if not rule.fits(default):
            continue
        allowed = counts_of(rule, default)
        assert accepts(allowed, default)
        text = written(rule, default)
        for count in range(1, 24):
            assert rule.fits(count) or not accepts(allowed, count), (rule, count)
            if accepts(allowed, count):
                names = {name: name for name in BLOCKS} | {"layers": count}
                found = [eval(text, names | {"i": i}) for i in range(count)]
                assert tuple(found) == rule.order(count), (rule, count, text)
                tried += count != default
    assert tried > 500


def counts_of(rule: LayerRule, default: int) -> Counts:
    graph = ModuleGraph("m", "M")
    return counts(graph, Index(graph), scope(rule, default))


def accepts(allowed: Counts, count: int) -> bool:
    within = allowed.least <= count <= (count if allowed.most is None else allowed.most)
    return within and count % allowed.period in allowed.remainders


@pytest.mark.parametrize(
    ("rule", "default", "expected"),
    [
        (LayerRule(("b",), (FIRST_THREE,), ("a", "b")), 5, Counts(1)),
        (LayerRule(("a", "b"), (), ("b",)), 4, Counts(1, None, 2, (0,))),
        (LayerRule(("a", ""), (), ("a",)), 1, Counts(1, 1)),
        (
            LayerRule(("a", "b"), (LAST_CHANGED,), ("c",)),
            4,
            Counts(1, None, 2, (0,)),
        ),
        (LayerRule(("b",), (Override(0, 1, "a"),), ("b",)), 4, Counts(3)),
    ],
)
def test_numbers_of_layers_that_a_file_is_right_for(
    rule: LayerRule, default: int, expected: Counts
) -> None:
    assert counts_of(rule, default) == expected


def test_a_pattern_is_folded() -> None:
    assert fold("aabaab") == 3
    assert fold("aabbaab") == 4


def test_runs_are_folded() -> None:
    parts = [Name("a")] * 3 + [Name("b")] * 58
    assert flat(runs(parts)) == "(a,) * 3 + (b,) * 58"
    assert flat(runs(parts[:4])) == "(a, a, a, b)"
