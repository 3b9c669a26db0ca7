"""Decoder-only models equal those of transformers: the same logits from the same weights."""

from __future__ import annotations

import pytest
import torch
from comparison import LONG, assert_equal_results, padded, places, tokens
from decoders import DECODERS
from latents import LATENTS
from llamas import LLAMAS
from mixtures import MIXTURES
from more_decoders import MORE_DECODERS
from other_attentions import OTHER_ATTENTIONS
from pairs import Pair
from scaled_llamas import SCALED_LLAMAS

PAIRS = (*DECODERS, *LLAMAS, *SCALED_LLAMAS, *OTHER_ATTENTIONS, *LATENTS, *MORE_DECODERS, *MIXTURES)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_logits(pair: Pair) -> None:
    ids = tokens(1, LONG)
    assert_equal_results(pair, torch.ones_like(ids), input_ids=ids)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_logits_with_padding_on_the_right(pair: Pair) -> None:
    ids, mask = padded("right")
    assert_equal_results(pair, mask, input_ids=ids, attention_mask=mask)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_logits_with_padding_on_the_left(pair: Pair) -> None:
    ids, mask = padded("left")
    given = {"position_ids": places(mask)} if pair.places else {}
    assert_equal_results(pair, mask, input_ids=ids, attention_mask=mask, **given)
