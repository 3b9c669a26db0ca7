"""Specs that are valid but look wrong."""

from __future__ import annotations

import pytest

from modelwright.spec import loads

SIZES = "vocab_size: 9\nd_model: 8\nlayers: 1\nattention: {heads: 2}\n"
GPT = "name: t\nfamily: decoder-only\n" + SIZES
BERT = "name: t\nfamily: encoder-only\n" + SIZES
T5 = "name: t\nfamily: encoder-decoder\n" + SIZES


@pytest.mark.parametrize(
    "text, warning",
    [
        (
            GPT + "mask: band(4)\n",
            "t.yaml:7:7: this decoder is not causal: its mask is `band(4)`; "
            "did you mean `causal & band(4)`?",
        ),
        (
            GPT + "mask: full\n",
            "t.yaml:7:7: this decoder is not causal: its mask is `full`; did you mean `causal`?",
        ),
        (
            GPT + "mask: band(4) | documents\n",
            "t.yaml:7:7: this decoder is not causal: its mask is `band(4) | documents`; "
            "did you mean `causal & (band(4) | documents)`?",
        ),
        (
            GPT + "mask: causal | window(4)\n",
            "t.yaml:7:7: the mask `causal | window(4)` means the same as `causal`; write that",
        ),
        (
            GPT + "mask: [causal & full, ~~causal]\n",
            "t.yaml:7:1: the mask `[causal & full, ~~causal]` means the same as `causal`; "
            "write that",
        ),
        (
            BERT + "mask: causal\n",
            "t.yaml:7:7: this encoder is causal: its mask is `causal`",
        ),
        (
            GPT + "positions: relative_bias\n",
            "t.yaml:7:1: half of the buckets are never used, because the mask allows no "
            "later keys; "
            "write `bidirectional: false`",
        ),
        (
            BERT + "positions: {type: relative_bias, bidirectional: false}\n",
            "t.yaml:7:1: the mask allows later keys, but `bidirectional: false` puts "
            "all keys after "
            "the query in one bucket",
        ),
        (
            GPT + "feed_forward: {type: moe, experts: 4, top_k: 1}\n",
            "t.yaml:7:46: the router gets no gradient: with top_k 1 the normalised weight is "
            "always 1; write `router: {normalize: false}`",
        ),
        (
            "name: x\nvocab_size: 9\nd_model: 8\nlayers: 1\nattention: {heads: 2}\nstacks:\n"
            "  a: {input: {argument: a_ids}}\n  b: {input: {argument: b_ids}}\n",
            "t.yaml:7:3: stack `a` has no effect: nothing reads it",
        ),
    ],
)
def test_a_warning_is_printed_once_with_its_location(text: str, warning: str) -> None:
    assert loads(text, "t.yaml").warnings == (warning,)


@pytest.mark.parametrize(
    "text",
    [
        GPT,
        BERT,
        T5,
        GPT + "mask: causal | prefix\n",
        GPT + "mask: causal & documents\n",
        BERT + "mask: band(4)\n",
        GPT + "feed_forward: {type: moe, experts: 4, top_k: 1, router: {normalize: false}}\n",
        GPT + "feed_forward: {type: moe, experts: 4, top_k: 1, router: {score: sparsemixer}}\n",
        GPT + "positions: {type: relative_bias, bidirectional: false}\n",
    ],
)
def test_intended_specs_give_no_warnings(text: str) -> None:
    assert loads(text).warnings == ()
