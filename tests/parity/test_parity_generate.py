"""Greedy generation equals that of transformers, token by token."""

from __future__ import annotations

import pytest
import torch
from comparison import padded, tokens
from decoders import BLOOM, GPT2, OPT
from encoder_decoders import BART, T5, T5_GATED_UNTIED
from llamas import GEMMA3, LLAMA, MISTRAL
from pairs import Pair, built
from torch import Tensor

NEW = 14
PAD = 0
LIVELY = 0.3  # large enough weights do not say the same word again and again
READERS = (T5, T5_GATED_UNTIED, BART)
DECODERS = (GPT2, LLAMA, MISTRAL, GEMMA3, BLOOM, OPT)
START = {T5: 0, T5_GATED_UNTIED: 0, BART: 2}


def generated(
    pair: Pair, ids: Tensor, mask: Tensor | None, eos: int | None
) -> tuple[Tensor, Tensor]:
    """What both make of the same prompt."""
    ours, theirs = built(pair, std=LIVELY)
    found = ours.generate(ids, NEW, mask, temperature=0, eos_token_id=eos, pad_token_id=PAD)
    start = {"decoder_start_token_id": START[pair]} if pair in START else {}
    expected = theirs.generate(
        ids,
        attention_mask=torch.ones_like(ids) if mask is None else mask,
        max_new_tokens=NEW,
        do_sample=False,
        num_beams=1,
        eos_token_id=eos,
        pad_token_id=PAD,
        bos_token_id=None,
        **start,
    )
    return found, expected


@pytest.mark.sampled(2)
@pytest.mark.parametrize("pair", [*DECODERS, *READERS], ids=str)
def test_greedy(pair: Pair) -> None:
    found, expected = generated(pair, tokens(2, 9), None, eos=None)
    assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("pair", DECODERS, ids=str)
def test_greedy_with_padding_on_the_left(pair: Pair) -> None:
    ids, mask = padded("left")
    found, expected = generated(pair, ids, mask, eos=None)
    assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("pair", READERS, ids=str)
def test_greedy_with_padding_in_the_encoder(pair: Pair) -> None:
    ids, mask = padded("right")
    found, expected = generated(pair, ids, mask, eos=None)
    assert found.tolist() == expected.tolist()


def early_end(answers: Tensor) -> int:
    """A token that ends some row early and, if there is one, not every row at once."""
    first, second = (row.tolist() for row in answers)
    return next((token for token in first[3:] if token not in second), first[3])


@pytest.mark.sampled(2)
@pytest.mark.parametrize("pair", [*DECODERS, *READERS], ids=str)
def test_rows_stop_by_themselves(pair: Pair) -> None:
    ids, mask = padded("right" if pair in READERS else "left")
    free, _ = generated(pair, ids, mask, eos=None)
    eos = early_end(free[:, -NEW:])
    found, expected = generated(pair, ids, mask, eos=eos)
    assert found.tolist() == expected.tolist()
    assert (found[0] == PAD).any() or found.size(1) < free.size(1)
