"""Collaborative attention is multi-head attention if each mixing vector is 1 on its own slice."""

from __future__ import annotations

import torch
from torch.testing import assert_close

import modelwright as mw

SPEC = """
name: t
family: decoder-only
vocab_size: 30
max_positions: 16
d_model: 12
layers: 2
positions: learned
attention: {{heads: 3{}}}
head: language_model
"""


def test_slices_of_ones_give_multi_head_attention() -> None:
    ordinary = mw.compile(mw.loads(SPEC.format("")), dtype="float64", seed=0).eval()
    text = SPEC.format(", type: collaborative")
    shared = mw.compile(mw.loads(text), dtype="float64", seed=1).eval()
    slices = torch.block_diag(*torch.ones(3, 1, 4, dtype=torch.float64))
    mixing = {name: slices for name in shared.state_dict() if name.endswith(".mixing")}
    assert len(mixing) == 2
    shared.load_state_dict(ordinary.state_dict() | mixing)
    tokens = torch.randint(30, (2, 9))
    assert_close(shared(tokens), ordinary(tokens), rtol=0, atol=1e-12)
