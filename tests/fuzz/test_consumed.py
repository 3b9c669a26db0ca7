"""What a spec sets changes the graph, or is refused: one option at a time gets another value."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

from modelwright.compiler.lower import lower_spec
from modelwright.spec import ModelSpec, SpecErrors, load
from modelwright.spec.load import from_data

from .examine import read
from .perturb import Site, Verdict, judge, signature, sites, written
from .specs import random_spec

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
REASONS: dict[str, str] = yaml.safe_load(
    Path(__file__).with_name("no_effect.yaml").read_text(encoding="utf-8")
)
INHERITED = ("norm", "activation", "bias", "dropout", "affine", "eps", "weight_offset", "beta")
"""Options of outer levels: `show` writes each level, and what inner ones say again is theirs."""
OUTER = ("Stack", "Block")
SAMPLE = ("gpt2", "llama4_scout", "tiny_t5", "deberta_v3_base")
EVERY = 7
SEEDS = range(0, 400, 10)


def judged(spec: ModelSpec, every: int = 1, first: int = 0) -> list[Verdict]:
    """What came of every so many-th option of a spec."""
    data = written(spec)
    before = signature(lower_spec(from_data(data)))
    return [judge(data, before, site) for site in list(sites(spec))[first::every]]


def is_excused(site: Site) -> bool:
    """Has it a reason, or is it the default of inner levels?"""
    if f"{site.owner}.{site.key}" in REASONS:
        return True
    path = [step for step in site.path if isinstance(step, str)]
    outer = path[0] == "heads" or (path[0] == "stacks" and len(path) < 7)
    return outer and any(key in INHERITED for key in path[2:])


def ignored(verdicts: Iterable[Verdict]) -> list[str]:
    return [
        f"{'.'.join(map(str, v.site.path))}: {v.site.value} -> {v.value}"
        for v in verdicts
        if v.word == "ignored" and not is_excused(v.site)
    ]


@pytest.mark.parametrize("name", SAMPLE)
def test_options_of_examples_have_an_effect(name: str) -> None:
    path = next(path for path in EXAMPLES if path.stem == name)
    assert not ignored(judged(load(path), EVERY, len(name) % EVERY))


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_option_of_every_example_has_an_effect(path: Path) -> None:
    assert not ignored(judged(load(path)))


@pytest.mark.parametrize("seed", range(3))
def test_options_of_random_specs_have_an_effect(seed: int) -> None:
    assert not ignored(judged(read(random_spec(seed)), EVERY, seed))


@pytest.mark.slow
@pytest.mark.parametrize("first", SEEDS)
def test_every_option_of_random_specs_has_an_effect(first: int) -> None:
    found = []
    for seed in range(first, first + 10):
        try:
            spec = read(random_spec(seed))
        except SpecErrors:
            continue
        found += [f"seed {seed}: {text}" for text in ignored(judged(spec))]
    assert not found


def test_a_set_value_that_changes_nothing_is_seen() -> None:
    """The comparison tells: a description changes no graph, and only its reason excuses it."""
    verdicts = judged(load(EXAMPLES[0]))
    words = {f"{v.site.owner}.{v.site.key}": v.word for v in verdicts}
    assert words["ModelSpec.description"] == "ignored"
    assert words["Stack.d_model"] == words["Stack.layers"] == "changed"
