"""Differences between two specs: every resolved value, listed once for each cause."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwright import ModelSpec, load, loads, lower
from modelwright.compiler.change import Change
from modelwright.compiler.difference import changes, every_change
from modelwright.compiler.difference_text import difference
from modelwright.compiler.report import report

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"
SMALL = """
name: small
family: decoder-only
vocab_size: 100
d_model: 64
layers: 4
attention: {heads: 4}
head: {type: language_model}
"""


def small(*sets: str) -> ModelSpec:
    return loads(SMALL, "small.yaml", sets=sets)


def told(*sets: str) -> list[tuple[str, str, str, str]]:
    """Kind, path, and both values of every difference that `sets` make."""
    return [rows(change) for change in changes(small(), small(*sets))]


def rows(change: Change) -> tuple[str, str, str, str]:
    return change.kind, change.path, change.before.text, change.after.text


def test_a_number_is_one_change_with_both_places():
    (change,) = changes(small(), small("layers=6"))
    assert rows(change) == ("changed", "stacks.decoder.layers", "4", "6")
    assert (change.before.where, change.after.where) == ("small.yaml:6", "--set layers=6")


def test_inherited_changes_are_listed_once_at_the_outermost_level():
    (change,) = changes(small(), small("dropout=0.2"))
    assert rows(change) == ("changed", "stacks.decoder.dropout", "0", "0.2")
    assert ("stacks", "decoder", "blocks", "block", "dropout") in change.also
    assert len(every_change(small(), small("dropout=0.2"))) == 1 + len(change.also)


def test_a_new_type_is_reported_with_its_written_options():
    found = told("feed_forward={type: moe, experts: 4, top_k: 2}")
    assert found == [
        ("changed", "stacks.decoder.blocks.block.feed_forward", "mlp", "moe"),
        ("added", "stacks.decoder.blocks.block.feed_forward.experts", "-", "4"),
        ("added", "stacks.decoder.blocks.block.feed_forward.top_k", "-", "2"),
    ]


def test_a_part_that_is_new_or_gone():
    one, other = small("positions=[learned, alibi]", "max_positions=9"), small("max_positions=9")
    (gone, *_), (new, *_) = changes(one, other), changes(other, one)
    assert rows(gone) == ("removed", "stacks.decoder.positions.0", "learned", "-")
    assert rows(new) == ("added", "stacks.decoder.positions.0", "-", "learned")


def test_an_unset_option_shows_its_default():
    assert told("attention.kv_heads=2") == [
        ("changed", "stacks.decoder.blocks.block.attention.kv_heads", "heads", "2")
    ]


def test_blocks_are_compared_by_name_or_by_their_layers():
    local = ('blocks={local: {mask: "causal & window(8)"}, global: {}}', "pattern=[local, global]")
    found = told(*local)
    assert found == [
        ("changed", "stacks.decoder.pattern", "[block]", "[local, global]"),
        ("changed", "stacks.decoder.blocks.block->local.mask", "causal", "causal & window(8)"),
    ]
    again = [change.path for change in changes(small(*local), small(*local, "layers=8"))]
    assert again == ["stacks.decoder.layers"]


def test_a_stack_without_layers():
    found = told("layers=0")
    assert found[0] == ("changed", "stacks.decoder.layers", "4", "0")
    assert ("changed", "stacks.decoder.pattern", "[block]", "[]") in found


def test_a_stack_that_only_one_has():
    one = load(EXAMPLES / "tiny_gpt.yaml")
    other = load(EXAMPLES / "tiny_encoder_decoder.yaml")
    whole = {change.path: change.kind for change in changes(one, other)}
    assert whole["stacks.encoder"] == "added"
    assert "stacks.encoder.layers" not in whole


@pytest.mark.sampled(2)
@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_spec_does_not_differ_from_itself(path):
    assert changes(load(path), load(path)) == []


SETS = st.sampled_from(
    [
        "layers=3",
        "d_model=32",
        "attention.heads=2",
        "positions=rotary",
        "norm=rmsnorm",
        "norm_placement=post",
        "dropout=0.5",
        "mask=causal & window(3)",
        "head.tied=true",
        "tokens={eos: 3}",
        "attention={type: mla, heads: 2, kv_rank: 8, nope_dim: 8, rope_dim: 4, value_dim: 8}",
        "feed_forward={type: glu, d_ff: 32}",
        "cross_attention=none",
    ]
)


@given(st.lists(SETS, max_size=3, unique=True), st.lists(SETS, max_size=3, unique=True))
@settings(max_examples=60)
def test_specs_differ_where_their_data_do(one, other):
    """No difference is left out: specs without one are equal, and the other way round."""
    try:
        a, b = small(*one), small(*other)
    except Exception:  # sets that do not go together
        return
    found = changes(a, b)
    assert (not found) == (a == b)
    back = changes(b, a)
    assert {c.before.text for c in found} == {c.after.text for c in back}


def test_specs_made_in_python_have_no_locations():
    one = ModelSpec(
        name="a", family="decoder-only", vocab_size=9, d_model=8, layers=1, attention={"heads": 2}
    )
    other = ModelSpec(
        name="a", family="decoder-only", vocab_size=9, d_model=8, layers=2, attention={"heads": 2}
    )
    (change,) = changes(one, other)
    assert rows(change) == ("changed", "stacks.decoder.layers", "1", "2")


# -- costs and text


def test_costs_are_those_of_the_report():
    specs = load(EXAMPLES / "gpt2.yaml"), load(EXAMPLES / "gpt2_medium.yaml")
    data = difference(*specs, ("a", "b"), batch=2, sequence=128, dtype="bfloat16").to_json()
    one, other = (report(lower(s), batch=2, sequence=128, dtype="bfloat16") for s in specs)
    cost = data["cost"]
    assert cost["weights"] == {
        "before": one.weights_total,
        "after": other.weights_total,
        "difference": other.weights_total - one.weights_total,
    }
    assert cost["flops.forward"]["after"] == round(other.forward)
    assert cost["cache_bytes"]["before"] == one.cache_bytes
    assert (
        sum(c["difference"] for k, c in cost.items() if k.startswith("weights."))
        == (cost["weights"]["difference"])
    )


def test_the_shorter_sequence_is_taken():
    specs = load(EXAMPLES / "gpt2.yaml"), load(EXAMPLES / "bert_base.yaml")
    assert difference(*specs, ("a", "b")).after.sequence == 512


def test_an_image_has_as_many_tokens_as_it_has():
    specs = load(EXAMPLES / "gpt2.yaml"), load(EXAMPLES / "vit_b16.yaml")
    found = difference(*specs, ("a", "b"), sequence=300)
    assert (found.before.sequence, found.after.sequence) == (300, 197)
    assert "sequence 300 and 197" in found.render()


def test_the_text_lists_locations_values_and_costs():
    specs = small(), small("dropout=0.2", "layers=8")
    text = difference(*specs, ("one.yaml", "two.yaml")).render()
    assert text.splitlines()[:6] == [
        "differences",
        "                          one.yaml          two.yaml",
        "  stacks.decoder.layers   4 (small.yaml:6)  8 (--set layers=8)",
        "  stacks.decoder.dropout  0 (default)       0.2 (--set dropout=0.2)",
        "      and stacks.decoder.input.0.dropout",
        "      and stacks.decoder.blocks.block.attention.dropout",
    ]
    assert "  FLOPs of one decoding step" in text
    assert "+100.0 %" in text


def test_equal_specs_say_so():
    found = difference(small(), small(), ("one.yaml", "two.yaml"))
    assert found.render() == "one.yaml and two.yaml are equal, including defaults."
    assert found.to_json()["equal"] is True
