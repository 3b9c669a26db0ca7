"""Options in which `verify` found faults, each by its law, and laws that do not apply."""

from __future__ import annotations

import pytest
from faults import SMALL

from modelwright.backends.verify import Report, verify
from modelwright.spec import loads

BOTH = SMALL.format(family="encoder-decoder")


def judged(text: str, *laws: str) -> Report:
    return verify(loads(text), laws=laws)


FOUND = {
    # the causal case asked for the length of the memory, for no other tensor was at hand yet
    "a decoder with the encoder's table, step by step": (
        BOTH + "decoder: {input: {tied: encoder}}\nhead: {type: language_model, tied: true}\n",
        "cache",
    ),
    # the decoder took its own mask before that of the memory, and `generate` gave the latter
    "linear attention over a padded memory": (
        BOTH.replace("{heads: 4}", "{type: linear, heads: 4}")
        + "positions: sinusoidal\nhead: language_model\n",
        "generate",
    ),
    # every bias ended as the bias of the scores does, and began with -10
    "a bias of contrastive scores": (
        "name: towers\nlayers: 1\nattention: {heads: 4}\nvocab_size: 31\nd_model: 16\n"
        "stacks: {a: {input: {argument: a_ids}}, b: {input: {argument: b_ids}}}\n"
        "head: {type: contrastive, size: 6, loss: sigmoid,"
        " towers: {a: {pool: mean}, b: {pool: mean}}}\n",
        "init",
    ),
    # the oracle dropped no weights of a sink that has no weight of its own
    "dropout beside sinks of zero": (
        SMALL.format(family="decoder-only").replace("heads: 4", "heads: 4, sinks: zero")
        + "dropout: 0.2\nhead: language_model\n",
        "dropout",
    ),
    # each tile has a dropout mask of its own
    "dropout in tiles": (
        SMALL.format(family="encoder-only").replace("heads: 4", "heads: 4, kernel: tiles")
        + "mask: global(1:3)\ndropout: 0.2\nhead: language_model\n",
        "dropout",
    ),
    # each group of heads has a dropout mask of its own
    "dropout in groups of heads": (
        SMALL.format(family="decoder-only")
        + "mask: [causal & window(5), causal & strided(4)]\ndropout: 0.2\nhead: language_model\n",
        "dropout",
    ),
    # random numbers are drawn in another order, tile by tile
    "a static cache beside groups of heads in tiles": (
        SMALL.format(family="decoder-only")
        + "mask: [causal & window(5), causal & strided(4)]\ndropout: 0.2\nhead: language_model\n",
        "options",
    ),
    # what was divided by a number of 1 stayed whole for other numbers
    "a Config with two heads instead of one": (
        SMALL.format(family="encoder-only").replace("{heads: 4}", "{type: fastformer, heads: 1}")
        + "head: language_model\n",
        "config",
    ),
    # the number of blocks was that of the first sequence
    "random blocks, for any length": (
        SMALL.format(family="encoder-only") + "mask: blocks(3) | random(3, 1)\n",
        "export",
    ),
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("what", FOUND, ids=[what.replace(" ", "-") for what in FOUND])
def test_found_faults_are_fixed(what: str) -> None:
    text, law = FOUND[what]
    report = judged(text, law, "reference")
    assert not report.failures, report.render()
    assert report.finding(law).applies


def test_laws_do_not_apply_where_tokens_compete_for_experts() -> None:
    text = SMALL.format(family="decoder-only").replace(
        "{d_ff: 40}", "{type: moe, experts: 4, top_k: 1, capacity: CAPACITY}"
    )
    laws = ("mask", "padding", "cache")
    tight = judged(text.replace("CAPACITY", "2") + "head: language_model\n", *laws, "reference")
    assert [finding.applies for finding in tight.findings] == [True, False, False, False]
    wide = judged(text.replace("CAPACITY", "99") + "head: language_model\n", *laws, "reference")
    assert all(finding.applies and finding.holds for finding in wide.findings)
