"""Encoder-only models equal those of transformers: the same results from the same weights."""

from __future__ import annotations

import pytest
import torch
from comparison import LONG, assert_equal_results, padded, places, tokens
from encoders import BERT, BERT_PRETRAINING, ENCODERS, LONGFORMER, MPNET, ROBERTA
from pairs import Pair, built
from perturb import TOLERANCE, relative_error

PAD = {MPNET: 1, ROBERTA: 1, LONGFORMER: 1}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("pair", ENCODERS, ids=str)
def test_results(pair: Pair) -> None:
    ids = tokens(1, LONG)
    assert_equal_results(pair, torch.ones_like(ids), input_ids=ids)


@pytest.mark.parametrize("pair", ENCODERS, ids=str)
def test_results_with_padding_on_the_right(pair: Pair) -> None:
    ids, mask = padded("right", PAD.get(pair, 0))
    assert_equal_results(pair, mask, input_ids=ids, attention_mask=mask)


@pytest.mark.parametrize("pair", [pair for pair in ENCODERS if pair is not BERT], ids=str)
def test_results_with_padding_on_the_left(pair: Pair) -> None:
    ids, mask = padded("left", PAD.get(pair, 0))
    given = {"position_ids": places(mask)} if pair.places else {}
    assert_equal_results(pair, mask, input_ids=ids, attention_mask=mask, **given)


@pytest.mark.parametrize("pair", [BERT, BERT_PRETRAINING], ids=str)
def test_results_of_two_segments(pair: Pair) -> None:
    ids, mask = padded("right")
    segments = (torch.arange(ids.size(1)) > 3).long().expand_as(ids)
    assert_equal_results(pair, mask, input_ids=ids, attention_mask=mask, token_type_ids=segments)


@pytest.mark.parametrize("side", ["left", "right"])
def test_hidden_states_of_bert(side: str) -> None:
    ids, mask = padded(side)
    data = {"input_ids": ids, "attention_mask": mask, "position_ids": places(mask)}
    ours, theirs = built(BERT)
    with torch.no_grad():
        found, expected = ours.hidden_states(**data), theirs(**data).last_hidden_state
    real = mask.bool()
    assert relative_error(found[real], expected[real]) <= TOLERANCE


@pytest.mark.parametrize("side", ["left", "right"])
def test_longformer_with_global_tokens(side: str) -> None:
    """Theirs marks them in `global_attention_mask`, and gathers their rows."""
    ids, mask = padded(side, PAD[LONGFORMER])
    chosen = torch.zeros_like(ids)
    chosen[0, [0, 5]] = chosen[1, [4, 6]] = 1
    ours, theirs = built(LONGFORMER)
    with torch.no_grad():
        found = ours(ids, attention_mask=mask, global_mask=chosen)
        plain = ours(ids, attention_mask=mask)
        expected = theirs(ids, attention_mask=mask, global_attention_mask=chosen).logits
    real = mask.bool()
    assert relative_error(found[real], expected[real]) <= TOLERANCE
    assert relative_error(plain[real], expected[real]) > 0.01
