"""`Config(layers=n)` of an emitted file is what `--set layers=n` builds, or a ValueError.

The condition that tells layers apart follows the pattern and the overrides of the spec, so it is
right for other numbers of layers too.
"""

from __future__ import annotations

import sys
import textwrap
import types
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from fuzz.arguments import plain
from fuzz.specs import random_spec
from small_examples import FOLDER, NAMES

from modelwright.backends.pytorch import emit_file
from modelwright.backends.verify import shrink
from modelwright.compiler import ModuleGraph, lower
from modelwright.spec import ModelSpec, SpecErrors, load, loads

SAMPLE = (
    "deepseek_v3",
    "gemma3_1b",
    "modernbert_base",
    "switch_base_8",
    "tiny_lightning",
    "albert_base",
    "gpt2",
)
QUICK, MANY = range(12), range(12, 520)


@dataclass
class Built:
    """An emitted file as a module, and the graph that it was written from."""

    graph: ModuleGraph
    module: Any

    def model(self, **fields: int) -> torch.nn.Module:
        torch.manual_seed(0)
        config = self.module.Config(**fields)
        made: torch.nn.Module = getattr(self.module, self.graph.class_name)(config).double().eval()
        return made


def build(spec: ModelSpec) -> Built:
    graph = lower(spec)
    module = sys.modules["emitted"] = types.ModuleType("emitted")
    exec(compile(emit_file(graph).text, "emitted.py", "exec"), module.__dict__)
    return Built(graph, module)


def as_it_is(spec: ModelSpec) -> ModelSpec:
    return spec


class Small:
    """Specs with the small sizes of one of them, and with the layers that each has."""

    def __init__(self, spec: ModelSpec) -> None:
        self.made = shrink(spec)

    def __call__(self, spec: ModelSpec) -> ModelSpec:
        stacks = {}
        for name, stack in spec.stacks.items():
            made = self.made.stacks[name]
            blocks = {kind: made.blocks[kind] for kind in dict.fromkeys(stack.order)}
            update = {"layers": stack.layers, "order": stack.order, "blocks": blocks}
            stacks[name] = made.model_copy(update=update)
        return self.made.model_copy(update={"stacks": stacks})


def depths(spec: ModelSpec) -> dict[str, int]:
    return {name: int(stack.layers) for name, stack in spec.stacks.items()}


def with_layers(read: Any, before: ModelSpec, stacks: list[str], count: int) -> ModelSpec | None:
    """The spec with so many layers in these stacks; None where the language refuses that."""
    wanted = depths(before) | dict.fromkeys(stacks, count)
    for place in ("", "{}.", "stacks.{}."):
        sets = [f"{place.format(stack)}layers={count}" for stack in stacks]
        try:
            spec: ModelSpec = read(dict.fromkeys(sets))
            lower(spec)
        except SpecErrors:
            continue
        if depths(spec) == wanted:
            return spec
    return None


def fields_of(graph: ModuleGraph) -> dict[str, list[str]]:
    """Fields of the Config that are numbers of layers, and the stacks that have so many."""
    found: dict[str, list[str]] = {}
    for scope in graph.scopes.values():
        if scope.role == "layers" and scope.layers is not None:
            found.setdefault(scope.layers.code(), []).append(scope.stack)
    return found


def compare(read: Any, *, shrunk: bool) -> tuple[int, int]:
    """How many other numbers of layers were compared, and how many refused."""
    spec = read({})
    small = Small(spec) if shrunk else as_it_is
    first = build(small(spec))
    compared = refused = 0
    for field, stacks in fields_of(first.graph).items():
        if field not in first.module.Config.__dataclass_fields__:
            continue
        default = getattr(first.module.Config(), field)
        for count in (-1, 0):
            with pytest.raises(ValueError, match=field):
                first.module.Config(**{field: count})
        for count in sorted({1, max(default - 1, 1), default + 1, default + 2}):
            try:
                one = first.model(**{field: count})
            except ValueError:
                refused += 1
                continue
            other_spec = with_layers(read, spec, stacks, count)
            if other_spec is not None:
                same(first, one, build(small(other_spec)), count)
                compared += 1
    return compared, refused


def same(first: Built, one: torch.nn.Module, other: Built, count: int) -> None:
    """Both have the same weights, and give the same results with them."""
    two = other.model()
    weights = one.state_dict()
    shapes = {name: weight.shape for name, weight in weights.items()}
    assert shapes == {name: w.shape for name, w in two.state_dict().items()}, count
    for weight in weights.values():
        weight.normal_(std=0.3)
    two.load_state_dict(weights)
    data = {name: torch.as_tensor(x) for name, x in plain(first.graph).items()}
    with torch.no_grad():
        expected, found = two(**data), one(**data)
    for a, b in zip(flat(expected), flat(found), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9, equal_nan=True)


def flat(found: Any) -> list[torch.Tensor]:
    return list(found.values()) if isinstance(found, dict) else [found]


ONE_LAYER = ("rnnsearch",)
"""A layer changes the width, so there can be no second one."""


def example(name: str) -> None:
    compared, _ = compare(lambda sets: load(FOLDER / f"{name}.yaml", [*sets]), shrunk=True)
    assert compared >= (1 if name in ONE_LAYER else 3)


@pytest.mark.parametrize("name", SAMPLE)
def test_layers_of_an_example(name: str) -> None:
    example(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name not in SAMPLE])
def test_layers_of_every_example(name: str) -> None:
    example(name)


SHARED = """
name: some
family: decoder-only
vocab_size: 50
d_model: 32
layers: 6
feed_forward: {d_ff: 48}
attention: {heads: 4}
positions: rotary
head: {type: language_model}
"""
ROWS = {
    "masks of two shared blocks": """
        blocks: {a: {share: true, mask: causal & window(3)}, b: {share: true}}
        pattern: [a, b]
        """,
    "a shared block among others": """
        blocks: {a: {share: true}, b: {feed_forward: {d_ff: 24}}}
        pattern: [a, b, b]
        """,
    "three shared blocks": """
        blocks:
          a: {share: true}
          b: {share: true, feed_forward: {d_ff: 24}}
          c: {share: true, feed_forward: {type: glu, d_ff: 24}}
        pattern: [a, b, c, b]
        """,
    "one shared block with an exception": """
        share: true
        overrides: {-1: {share: false, attention: {heads: 2}}}
        """,
    "a shared block from the third layer on": """
        blocks: {first: {feed_forward: {type: glu, d_ff: 24}}, rest: {share: true}}
        pattern: [rest]
        overrides: {0..1: first}
        """,
}


@pytest.mark.parametrize("row", ROWS)
def test_layers_that_share_modules(row: str) -> None:
    """All numbers from 1 to 9, but those that the spec itself refuses."""
    text = SHARED + textwrap.dedent(ROWS[row])
    first = build(loads(text))
    assert "KINDS" not in vars(first.module)
    for count in range(1, 10):
        spec = with_layers(lambda sets: read_text(text, sets), loads(text), ["decoder"], count)
        if spec is None:
            continue
        try:
            one = first.model(layers=count)
        except ValueError:
            assert row == "one shared block with an exception", count
            continue
        same(first, one, build(spec), count)


def test_shared_blocks_that_differ_in_inputs_and_sizes_are_one_class() -> None:
    for row in ("masks of two shared blocks", "a shared block among others"):
        module = build(loads(SHARED + textwrap.dedent(ROWS[row]))).module
        assert [name for name in vars(module) if name.endswith("Block")] == ["Block"]


def read_text(text: str, sets: Iterable[str]) -> ModelSpec:
    return loads(text, sets=[*sets])


def random_specs(seeds: range) -> tuple[int, int, int]:
    """Compare random specs with patterns or overrides: specs, numbers compared, numbers refused."""
    tried = compared = refused = 0
    for seed in seeds:
        document = random_spec(seed)
        if document.files or not ("pattern" in document.text or "overrides" in document.text):
            continue
        try:
            loads(document.text)
        except SpecErrors:
            continue
        more, fewer = compare(
            lambda sets, text=document.text: loads(text, sets=[*sets]), shrunk=False
        )
        tried, compared, refused = tried + 1, compared + more, refused + fewer
    return tried, compared, refused


def test_layers_of_random_specs() -> None:
    tried, compared, _ = random_specs(QUICK)
    assert tried >= 3
    assert compared >= 6


@pytest.mark.slow
def test_layers_of_many_random_specs() -> None:
    tried, compared, refused = random_specs(MANY)
    assert tried >= 200
    assert compared > refused
