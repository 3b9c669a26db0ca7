"""Encoder-decoder models equal those of transformers: the same logits from the same weights."""

from __future__ import annotations

import pytest
import torch
from comparison import LONG, assert_equal_results, padded, tokens
from encoder_decoders import BART, ENCODER_DECODERS, MBART
from pairs import Pair

SIDES = ("left", "right")
PAD = {BART: 1, MBART: 1}


@pytest.mark.parametrize("pair", ENCODER_DECODERS, ids=str)
def test_logits(pair: Pair) -> None:
    answer = tokens(1, LONG - 7, seed=2)
    assert_equal_results(
        pair, torch.ones_like(answer), input_ids=tokens(1, LONG), decoder_input_ids=answer
    )


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("pair", ENCODER_DECODERS, ids=str)
def test_logits_with_padding_in_the_encoder(pair: Pair, side: str) -> None:
    ids, mask = padded(side, PAD.get(pair, 0))
    answer = tokens(2, 6, seed=2)
    assert_equal_results(
        pair,
        torch.ones_like(answer),
        input_ids=ids,
        attention_mask=mask,
        decoder_input_ids=answer,
    )


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("pair", ENCODER_DECODERS, ids=str)
def test_logits_with_padding_in_both(pair: Pair, side: str) -> None:
    ids, mask = padded("right", PAD.get(pair, 0))
    answer, real = padded(side, PAD.get(pair, 0), seed=2)
    assert_equal_results(
        pair,
        real,
        input_ids=ids,
        attention_mask=mask,
        decoder_input_ids=answer,
        decoder_attention_mask=real,
    )
