"""Decoder-only models equal those of transformers: the same logits from the same weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from decoders import DECODERS
from llamas import LLAMAS
from pairs import Pair, built
from perturb import TOLERANCE, relative_error
from torch import Tensor

PAIRS = (*DECODERS, *LLAMAS)
LENGTHS = (11, 7)


def batch(side: str) -> tuple[Tensor, Tensor, Tensor]:
    """Ids, mask and positions of two sequences, the second padded on one side with id 0."""
    longest = max(LENGTHS)
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(3, 64, (len(LENGTHS), longest), generator=generator)
    mask = torch.ones_like(ids)
    for row, length in enumerate(LENGTHS):
        padding = slice(length, None) if side == "right" else slice(0, longest - length)
        ids[row, padding] = 0
        mask[row, padding] = 0
    return ids, mask, (mask.cumsum(-1) - 1).clamp(min=0)


def compare(pair: Pair, ids: Tensor, **data: Tensor) -> None:
    ours, theirs = built(pair)
    data = {"input_ids": ids, **data}
    hidden: dict[str, Any] = {"use_cache": False}
    with torch.no_grad():
        found, expected = ours(**data), pair.result(theirs(**data, **hidden))
    real = data.get("attention_mask", torch.ones_like(ids)).bool()
    error = relative_error(found[real], expected[real])
    assert error <= TOLERANCE


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_logits(pair: Pair) -> None:
    ids, _, _ = batch("right")
    compare(pair, ids[:1])


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_logits_with_padding_on_the_right(pair: Pair) -> None:
    ids, mask, _ = batch("right")
    compare(pair, ids, attention_mask=mask)


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_logits_with_padding_on_the_left(pair: Pair) -> None:
    ids, mask, places = batch("left")
    given = {"position_ids": places} if pair.places else {}
    compare(pair, ids, attention_mask=mask, **given)
