"""Conditions on the sizes of ops, which hold for every valid spec."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz.specs import random_spec

from modelwright.compiler import lower
from modelwright.compiler.requirements import Requirement, requirements
from modelwright.compiler.sizes import Field
from modelwright.spec import SpecErrors, load, loads

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
SMALL = """\
name: small
family: decoder-only
vocab_size: 40
d_model: 16
layers: 2
positions: {}
attention: {}
feed_forward: {}
head: language_model
"""


def keys(
    positions: str = "none", attention: str = "{heads: 2}", feed_forward: str = "{d_ff: 8}"
) -> list[tuple[str, str, str]]:
    graph = lower(loads(SMALL.format(positions, attention, feed_forward)))
    return [one.key for one in requirements(graph)]


def test_heads_divide_the_width() -> None:
    assert keys() == [("d_model", "%", "heads")]
    assert keys(attention="{heads: 2, head_dim: 4}") == []
    assert keys(attention="{heads: 4, kv_heads: 2, head_dim: 4}") == [("heads", "%", "kv_heads")]


def test_rotated_pairs_are_one_relation_with_the_heads() -> None:
    assert keys("rotary") == [("d_model", "%", "2 * heads")]
    assert keys("{type: rotary, fraction: 0.5}") == [("d_model", "%", "4 * heads")]
    assert keys("rotary", "{heads: 2, head_dim: 4}") == [("head_dim", "%", "2")]


def test_a_fraction_of_the_width_is_an_integer() -> None:
    found = keys(attention="{heads: 2, head_dim: 4}", feed_forward="{d_ff: 3/8 * d_model}")
    assert found == [("3 * d_model", "%", "8")]


def test_what_a_router_chooses_is_there() -> None:
    moe = "{{type: moe, experts: 8, top_k: 2, router: {{{}}}, expert: {{type: glu, d_ff: 8}}}}"
    plain = keys(attention="{heads: 2, head_dim: 4}", feed_forward=moe.format(""))
    assert plain == [("top_k", "<=", "experts")]
    groups = "groups: {count: 4, top_k: 2, score: top2_sum}"
    assert keys(attention="{heads: 2, head_dim: 4}", feed_forward=moe.format(groups)) == [
        ("experts", "%", "groups"),
        ("top_groups", "<=", "groups"),
        ("experts // groups", ">=", "2"),
        ("top_k", "<=", "top_groups * (experts // groups)"),
    ]


def test_a_rounded_quotient_has_no_condition() -> None:
    """Patches that do not fill an image are left out."""
    graph = lower(load(next(path for path in EXAMPLES if path.stem == "vit_b16")))
    assert [one.key for one in requirements(graph)] == [
        ("patch_size", "<=", "image_size"),
        ("d_model", "%", "heads"),
    ]


@pytest.mark.parametrize(
    ("left", "sign", "right", "holds"),
    [
        (12, "%", 4, True),
        (12, "%", 5, False),
        (3, "odd", 2, True),
        (4, "odd", 2, False),
        (4, "<=", 4, True),
        (4, ">=", 5, False),
        (4, ">", 4, False),
        (4, "==", 4, True),
    ],
)
def test_whether_a_relation_holds(left: int, sign: str, right: int, holds: bool) -> None:
    assert Requirement(Field("a", left), sign, right).holds is holds


@pytest.mark.sampled(2)
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_they_hold_for_every_example(path: Path) -> None:
    assert [one.key for one in requirements(lower(load(path))) if not one.holds] == []


def test_they_hold_for_random_specs() -> None:
    tried = 0
    for seed in range(20):
        document = random_spec(seed)
        try:
            graph = lower(loads(document.text)) if not document.files else None
        except SpecErrors:
            continue
        if graph is not None:
            tried += 1
            assert [one.key for one in requirements(graph) if not one.holds] == [], seed
    assert tried >= 10
