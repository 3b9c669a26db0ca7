"""What `show` prints is a spec that `check` accepts: options without effect are comments."""

from __future__ import annotations

from pathlib import Path

import pytest

import modelwright as mw

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
SIZES = "name: a\nfamily: encoder-only\nvocab_size: 20\nmax_positions: 16\nd_model: 16\nlayers: 3\n"
HEADS = "attention: {heads: 2}\n"
SPECS = {
    "a norm without weights": HEADS + "norm: {affine: false}\n",
    "a norm of another type inside": "norm: {weight_offset: 0.5}\n"
    "attention: {heads: 2, qk_norm: {type: per_head, norm: {type: rmsnorm, affine: false}}}\n",
    "positions of the input": "positions: [learned, rotary]\n"
    "sublayers: [{type: mha, heads: 2}, {type: linear, heads: 2, positions: none}, mlp]\n",
    "positions of one sublayer": "sublayers:\n"
    "- {type: mha, heads: 2, positions: rotary}\n- {type: linear, heads: 2}\n- mlp\n",
    "an activation of one block": HEADS + "activation: relu\n"
    "blocks: {a: {feed_forward: none}, b: {activation: silu}, c: {}}\npattern: [a, b, c]\n",
    "a placement without a norm": HEADS + "norm_placement: sandwich\n"
    "blocks: {a: {norm: none}, b: {}}\npattern: [a, b]\n",
    "a kernel without scores": "attention: {heads: 2, kernel: dense}\n"
    "blocks: {a: {mask: window(3)}, b: {attention: none}}\npattern: [a, b]\n",
}


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("written", [mw.show, mw.to_yaml])
def test_what_is_printed_builds_the_same_model(name: str, written: object) -> None:
    spec = mw.loads(SIZES + SPECS[name], "a.yaml")
    expected = mw.report(spec).render()
    printed = written(spec)  # type: ignore[operator]
    again = mw.loads(printed, "a.yaml")
    assert mw.report(again).render() == expected


@pytest.mark.parametrize("path", EXAMPLES[::4], ids=lambda path: path.stem)
def test_what_is_printed_of_an_example_is_accepted(path: Path) -> None:
    spec = mw.load(path)
    assert mw.lower(mw.loads(mw.show(spec), path.name)).name == spec.name


def test_an_option_without_effect_is_a_comment() -> None:
    spec = mw.loads(SIZES + SPECS["a norm without weights"])
    assert "# bias: no effect here" in mw.show(spec)


LAYERS = {
    "single layers": "overrides: {1: {norm_placement: post}, -1: {feed_forward: none}}\n",
    "a range by name": "blocks: {a: {}, b: {feed_forward: none}}\npattern: [a]\n"
    "overrides: {1..2: b}\n",
    "a cut pattern": "blocks: {a: {}, b: {feed_forward: none}}\npattern: [a * 3, b]\n",
    "every layer": "overrides: {0..-1: {feed_forward: none}}\n",
    "two blocks at once": "blocks: {a: {}, b: {feed_forward: none}}\npattern: [a, b]\n"
    "overrides: {0..1: {norm: rmsnorm}}\n",
    "one layer, written twice": "overrides: {0..0: {norm: rmsnorm}, 0: {bias: false}}\n",
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_printed_as_they_were_written(name: str) -> None:
    spec = mw.loads(SIZES + HEADS + LAYERS[name])
    again = mw.loads(mw.show(spec))
    assert again.stacks["encoder"].order == spec.stacks["encoder"].order
    assert {*again.stacks["encoder"].blocks} == {*spec.stacks["encoder"].order}


def test_overrides_stay_overrides() -> None:
    """They were a pattern of single layers, which means others with another number of layers."""
    printed = mw.to_yaml(mw.loads(SIZES + HEADS + LAYERS["single layers"]))
    wanted = mw.loads(SIZES + HEADS + LAYERS["single layers"], sets=["layers=5"])
    again = mw.loads(printed, sets=["encoder.layers=5"])
    kinds = [
        ["post" if b.norm_placement == "post" else b.feed_forward.type for b in blocks]
        for spec in (wanted, again)
        for stack in spec.stacks.values()
        for blocks in [[stack.blocks[name] for name in stack.order]]
    ]
    assert kinds[0] == kinds[1] == ["mlp", "post", "mlp", "mlp", "none"]
