"""A model with ReZero starts as the identity (Bachlechner et al. 2020, arXiv:2003.04887)."""

from __future__ import annotations

import torch
from small_examples import graph

import modelwright as mw


def test_rezero_starts_as_the_identity() -> None:
    model = mw.compile(graph("tiny_rezero"), seed=0).eval()
    x = torch.randn(2, 7, model.config.d_model)
    y = x
    for layer in model.layers:
        y = layer(y, None, None)
    assert torch.equal(y, x)
