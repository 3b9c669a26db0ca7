"""Reduced specs keep their structure and are valid."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from test_verify_examples import FOLDER, NAMES

from modelwright.backends.pytorch import emit_file
from modelwright.backends.verify import shrink
from modelwright.compiler import lower
from modelwright.compiler.display import to_yaml
from modelwright.spec import ModelSpec, load, loads
from modelwright.spec.laws import findings

MOST_WEIGHTS = 160_000
SEVERAL_STACKS = {"multimodel": 810_000}
"""Three stacks of blocks with four convolutions each."""


def small(name: str, *sets: str) -> ModelSpec:
    return shrink(load(FOLDER / f"{name}.yaml", sets=sets))


def block(spec: ModelSpec) -> object:
    return next(iter(spec.stacks["decoder"].blocks.values()))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", NAMES)
def test_an_example_made_small(name: str) -> None:
    """It is small, legal, has the same ops in the same order, and is as small as it can be."""
    before, after = load(FOLDER / f"{name}.yaml"), small(name)
    assert not [found for found in findings(after) if not found.warning]
    graph, most = lower(after), SEVERAL_STACKS.get(name, MOST_WEIGHTS)
    assert sum(math.prod(weight.shape) for weight in graph.weights()) < most
    assert [op.kind for op in graph.ops()] == [op.kind for op in lower(before).ops()]
    assert shrink(after) == after


def test_what_is_small_stays_as_it_is() -> None:
    text = """
name: small
family: decoder-only
vocab_size: 31
max_positions: 24
d_model: 16
layers: 2
attention: {heads: 4}
head: language_model
"""
    assert shrink(loads(text)) == loads(text)


def test_ratios_of_heads() -> None:
    attention = block(small("llama3_8b")).attention
    assert (attention.heads, attention.kv_heads) == (4, 2)
    attention = block(small("gemma3_1b")).attention
    assert (attention.heads, attention.kv_heads) == (4, 1)
    assert block(small("gpt2", "positions=alibi")).attention.heads == 6  # no power of two


def test_reduced_windows_are_shorter_than_sequences_and_keep_their_order() -> None:
    sets = ("blocks.local.mask=causal & window(4096)", "blocks.global.mask=causal & window(8192)")
    blocks = small("gemma2_2b", *sets).stacks["decoder"].blocks
    assert [str(block.mask) for block in blocks.values()] == [
        "causal & window(5)",
        "causal & window(7)",
    ]


def test_layers_follow_on_each_other_as_they_did() -> None:
    assert small("gemma3_1b").stacks["decoder"].order == ("local", "local", "global", "local")
    assert small("deepseek_v3").stacks["decoder"].order == ("dense", "dense", "sparse", "sparse")


@pytest.mark.parametrize(
    ("name", "test"),
    [
        ("gemma3_1b", "i % 3 < 2"),
        ("gpt_oss_20b", "i % 2 == 0"),
        ("llama4_scout", "i % 3 < 2"),
        ("deepseek_v3", "i < config.dense_layers"),
    ],
)
def test_a_small_model_has_a_loop_like_that_of_the_whole_one(name: str, test: str) -> None:
    """A list of the kinds of its layers would hide a loop that is wrong for a pattern."""
    assert f" {test}" in emit_file(lower(small(name))).text


def test_groups_of_experts() -> None:
    part = small("deepseek_v3").stacks["decoder"].blocks["sparse"].feed_forward
    groups = part.router.groups
    assert part.experts // groups.count >= 2
    assert part.top_k < groups.top_k * (part.experts // groups.count)
    assert groups.top_k < groups.count


def test_equal_ids_stay_equal_and_words() -> None:
    spec = small("gpt2", "tokens={eos: 50256, pad: 50256, bos: 50255}")
    assert spec.tokens.eos == spec.tokens.pad != spec.tokens.bos
    assert spec.tokens.eos < spec.stacks["decoder"].vocab_size


def test_a_divisor_for_each_pair_that_is_left(tmp_path: Path) -> None:
    factors = ", ".join(str(1 + i / 10) for i in range(48))
    spec = small(
        "llama3_8b",
        "d_model=3072",
        "positions.scaling={type: longrope, original_max_positions: 4096, "
        f"short_factor: [{factors}], long_factor: [{factors}]}}",
        "max_positions=131072",
    )
    (position,) = block(spec).positions
    pairs = spec.stacks["decoder"].d_model // block(spec).attention.heads // 2
    assert len(position.scaling.short_factor) == pairs
    assert position.scaling.short_factor[0] == 1
    assert position.scaling.short_factor[-1] == 5.7
    written = loads(to_yaml(spec))  # the stack has the positions of its blocks
    assert block(written).positions == block(spec).positions
