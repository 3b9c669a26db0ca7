"""A Universal Transformer (Dehghani et al., 2018, arXiv:1807.03819) step by step."""

from __future__ import annotations

import math
from typing import Any

import torch

import modelwright as mw

SPEC = """
name: universal
family: encoder-only
vocab_size: 20
d_model: 8
layers: 3
share: true
norm_placement: post
positions: {type: coordinate, layout: interleaved}
attention: {heads: 2}
"""


@torch.no_grad()
def test_each_step_adds_its_coordinates() -> None:
    """Equations 4 to 7, with the branches and the norms of the model itself."""
    model: Any = mw.compile(mw.loads(SPEC), dtype="float64", seed=0).eval()
    ids = torch.arange(6)[None]
    (layer,) = model.layers
    x = model.token_embedding(ids)
    for step in (1, 2, 3):
        for place in range(6):
            for j in range(4):
                below = 10000 ** (2 * j / 8)
                x[0, place, 2 * j] += math.sin(place / below) + math.sin(step / below)
                x[0, place, 2 * j + 1] += math.cos(place / below) + math.cos(step / below)
        x = layer.attention_norm(x + layer.attention(x, None))
        x = layer.feed_forward_norm(x + layer.feed_forward(x))
    torch.testing.assert_close(model(ids), x, rtol=1e-12, atol=1e-12)
