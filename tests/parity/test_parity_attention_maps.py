"""Attention maps equal the `output_attentions` of transformers' eager attention."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from comparison import LONG, padded, places, tokens
from decoders import GPT2, GPT_NEOX
from encoder_decoders import BART, T5
from encoders.berts import BERT
from latents import DEEPSEEK_V2, DEEPSEEK_V3
from llamas import GEMMA2, LLAMA, QWEN3
from other_attentions import GPT_OSS
from pairs import Pair, built
from torch import Tensor, nn

import modelwright as mw

TOLERANCE = 1e-6
ONE_STACK = (BERT, GPT2, GPT_NEOX, LLAMA, QWEN3, GEMMA2, GPT_OSS, DEEPSEEK_V2, DEEPSEEK_V3)


@contextmanager
def eager(model: nn.Module) -> Iterator[nn.Module]:
    """The model with its attention written out, which alone returns weights."""
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    yield model
    model.set_attn_implementation(before)


def equal(ours: Tensor, theirs: Tensor, real: Tensor) -> None:
    """Equal for the queries (B, T) that are not padding."""
    assert ours.shape == theirs.shape
    difference = (ours - theirs).abs().amax(dim=(1, 3))
    assert difference[real.bool()].max() < TOLERANCE


@pytest.mark.sampled(2)
@pytest.mark.parametrize("pair", ONE_STACK, ids=str)
def test_maps_of_one_stack(pair: Pair) -> None:
    ours, theirs = built(pair)
    ids, mask = padded("left")
    given = {"input_ids": ids, "attention_mask": mask}
    if pair.places and pair is not BERT:
        given["position_ids"] = places(mask)
    maps = mw.attention_maps(ours, **given)
    with eager(theirs), torch.no_grad():
        expected = theirs(**given, output_attentions=True)["attentions"]
    assert len(maps) == len(expected)
    for layer, wanted in enumerate(expected):
        equal(maps[f"layers.{layer}.attention"], wanted, mask)


@pytest.mark.parametrize("pair", [T5, BART], ids=str)
def test_maps_of_two_stacks(pair: Pair) -> None:
    ours, theirs = built(pair)
    given = {"input_ids": tokens(2, LONG), "decoder_input_ids": tokens(2, 9, seed=2)}
    maps = mw.attention_maps(ours, **given)
    with eager(theirs), torch.no_grad():
        found = theirs(**given, output_attentions=True)
    expected = {
        "encoder.layers.{}.attention": found["encoder_attentions"],
        "decoder.layers.{}.attention": found["decoder_attentions"],
        "decoder.layers.{}.cross_attention": found["cross_attentions"],
    }
    assert len(maps) == sum(map(len, expected.values()))
    for name, layers in expected.items():
        for layer, wanted in enumerate(layers):
            equal(
                maps[name.format(layer)], wanted, torch.ones(wanted.shape[:1] + wanted.shape[2:3])
            )


def test_sinks_take_their_share() -> None:
    """The rows of gpt-oss sum to less than 1; those of a model without sinks to 1."""
    ids = tokens(1, LONG)
    for pair, low in ((GPT_OSS, True), (LLAMA, False)):
        total = torch.stack([*mw.attention_maps(built(pair)[0], input_ids=ids).values()]).sum(-1)
        assert (total < 1 - 1e-3).any() == low
        assert (total < 1 + 1e-6).all()


@pytest.mark.parametrize("pair", [GPT2, LLAMA, BERT], ids=str)
def test_hidden_states(pair: Pair) -> None:
    """Theirs end with the states after the final norm, where there is one."""
    ours, theirs = built(pair)
    ids = tokens(1, LONG)
    states = [*mw.hidden_states(ours, input_ids=ids).values()]
    with torch.no_grad():
        expected = theirs(ids, output_hidden_states=True)["hidden_states"]
    assert len(states) == len(expected)
    for found, wanted in zip(states[:-1], expected[:-1], strict=True):
        assert (found - wanted).abs().max() < 1e-5
