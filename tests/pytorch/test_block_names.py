"""Any name of a block gives a file that runs and passes the linters."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable
from keyword import kwlist
from pathlib import Path

import pytest
import torch

from modelwright.backends.pytorch import emit_file, instantiate
from modelwright.compiler import lower
from modelwright.spec import loads

NAMES = (
    *("l", "O", "I", "i", "x", "self", "torch", "nn", "F", "math", "sum", "list", "type", "global"),
    *("mask", "cos", "cache", "start", "batch", "positions", "attention_inputs", "apply_rope"),
    *("causal_mask", "kinds", "block", "Config", "causal_tiles", "T", "local_"),
)
MASKS = """
name: some
family: decoder-only
vocab_size: 50
d_model: 32
layers: 4
feed_forward: {d_ff: 48}
attention: {heads: 4}
head: {type: language_model}
blocks:
  NAME: {mask: causal & window(3), positions: rotary}
  other: {positions: none, mask: causal}
pattern: [NAME, other]
"""
ANGLES = """
name: some
family: decoder-only
vocab_size: 50
d_model: 32
layers: 3
attention: {heads: 4}
head: {type: language_model}
blocks:
  NAME: {feed_forward: {d_ff: 48}, positions: {type: rotary, theta: 100}}
  other: {feed_forward: none, positions: {type: rotary, theta: 200}}
pattern: [NAME, other, NAME]
"""


def text_of(spec: str, name: str) -> str:
    return emit_file(lower(loads(spec.replace("NAME", name)))).text


@pytest.mark.sampled(2)
@pytest.mark.parametrize("spec", [MASKS, ANGLES], ids=["masks", "angles"])
@pytest.mark.parametrize("name", NAMES)
def test_a_file_runs_with_any_name_of_a_block(name: str, spec: str) -> None:
    graph = lower(loads(spec.replace("NAME", name)))
    model = instantiate(emit_file(graph), graph.name)
    ids = torch.arange(9)[None]
    assert model.generate(ids, 2, temperature=0).shape == (1, 11)
    variables = {
        node.id
        for node in ast.walk(ast.parse(text_of(spec, name)))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    assert not variables & {*dir(builtins), *kwlist, "l", "O", "I"}


def test_ruff_accepts_any_name_of_a_block(tmp_path: Path, linted: Callable[[Path], None]) -> None:
    for name in NAMES:
        (tmp_path / f"masks_{name}.py").write_text(text_of(MASKS, name), encoding="utf-8")
        (tmp_path / f"angles_{name}.py").write_text(text_of(ANGLES, name), encoding="utf-8")
    linted(tmp_path)
