"""Layers without positions, written by hand, against SmolLM3's `no_rope_layers`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tiny_decoders import GROUPED

import modelwright as mw

sys.path.insert(0, str(Path(__file__).parents[1] / "parity"))

from perturb import perturb, relative_error

SPEC = """
name: nope
family: decoder-only
vocab_size: 40
max_positions: 20
d_model: 32
layers: 6
bias: false
norm: {type: rmsnorm, eps: 1e-6}
positions: {type: rotary, theta: 2e6}
attention: {heads: 4, kv_heads: 2}
feed_forward: {type: glu, d_ff: 48, activation: silu}
head: {type: language_model, tied: true}
"""
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "pattern": (
        "blocks: {turned: {}, nope: {positions: none}}\npattern: [turned * 3, nope]",
        {"no_rope_layer_interval": 4},
    ),
    "overrides": (
        "overrides: {0: {positions: none}, -2..-1: {positions: none}}",
        {"no_rope_layers": [0, 1, 1, 1, 0, 0]},
    ),
}
"""More of the spec, and what the library is told."""


@torch.no_grad()
@pytest.mark.parametrize("case", CASES)
def test_nope_by_layer(case: str, tmp_path: Path) -> None:
    more, config = CASES[case]
    torch.manual_seed(0)
    sizes: dict[str, Any] = {**GROUPED, "num_hidden_layers": 6, **config}
    theirs = perturb(transformers.SmolLM3ForCausalLM(transformers.SmolLM3Config(**sizes)).eval())
    theirs.save_pretrained(tmp_path)
    ours: Any = mw.compile(mw.loads(SPEC + more)).eval()
    ours.load_state_dict(mw.from_pretrained(tmp_path).state_dict())
    ids = torch.arange(12).reshape(1, 12) * 7 % 40
    assert relative_error(ours(ids), theirs(ids).logits) < 2e-5
    everywhere: Any = mw.compile(mw.loads(SPEC)).eval()
    everywhere.load_state_dict(ours.state_dict())
    assert relative_error(everywhere(ids), theirs(ids).logits) > 1e-2
