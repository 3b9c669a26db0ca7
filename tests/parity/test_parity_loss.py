"""The loss equals that of transformers, labels of -100 left out; gradients too."""

from __future__ import annotations

import pytest
import torch
from comparison import tokens
from decoders import GPT2
from encoder_decoders import BART, T5
from encoders import ALBERT, ROBERTA
from llamas import LLAMA
from pairs import Pair, built
from torch import Tensor


def labels_of(ids: Tensor) -> Tensor:
    labels = ids.clone()
    labels[0, :3] = -100
    labels[1, -2:] = -100
    return labels


@pytest.mark.parametrize("pair", [GPT2, LLAMA, ROBERTA, ALBERT, T5, BART], ids=str)
def test_loss(pair: Pair) -> None:
    ours, theirs = built(pair)
    ids = tokens(2, 9)
    data, labels = {"input_ids": ids}, labels_of(ids)
    if pair in (T5, BART):
        data["decoder_input_ids"] = tokens(2, 7, seed=2)
        labels = labels_of(tokens(2, 7, seed=3))
    found = ours.loss(ours(**data), labels)
    expected = theirs(**data, labels=labels).loss
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)
    (found_slope,) = torch.autograd.grad(found, ours.token_embedding.weight)
    (expected_slope,) = torch.autograd.grad(expected, theirs.get_input_embeddings().weight)
    torch.testing.assert_close(found_slope, expected_slope, rtol=1e-4, atol=1e-6)
