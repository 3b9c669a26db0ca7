"""Failures in saving, loading, exporting and measuring models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from small import LLAMA, cache_of, moved
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

import modelwright as mw
from modelwright.backends.huggingface import CheckpointError
from modelwright.cli import cli

EXAMPLES = Path(__file__).parents[2] / "examples"
LINEAR, TINY_LLAMA = EXAMPLES / "tiny_linear.yaml", EXAMPLES / "tiny_llama.yaml"


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    rope = {"rope_type": "default", "rope_theta": 50000.0}
    config = LlamaConfig(**LLAMA, num_key_value_heads=2, rope_parameters=rope)
    moved(LlamaForCausalLM(config)).save_pretrained(tmp_path / "llama")
    return tmp_path / "llama"


def change(folder: Path, **keys: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **keys}))


def test_rope_scaling_beside_rope_parameters_is_followed(llama: Path) -> None:
    scaling = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}
    change(llama, rope_scaling=scaling)
    ids = torch.randint(0, 20, (2, 20))
    wanted = AutoModelForCausalLM.from_pretrained(llama).eval()(ids).logits
    assert torch.allclose(mw.from_pretrained(llama)(ids), wanted, atol=1e-5)


def test_a_factor_in_quotes_is_refused_with_its_place(llama: Path) -> None:
    scaling = {"rope_type": "yarn", "factor": "4.0", "original_max_position_embeddings": 16}
    change(llama, rope_parameters=scaling)
    with pytest.raises(CheckpointError, match=r"config\.json: .*factor"):
        mw.from_pretrained(llama)


HARMLESS = {
    "rope_interleaved": False, "is_llama_config": True, "unsloth_version": "2025.3.19",
    "unsloth_fixed": True, "transformers.js_config": {"dtype": "q4"}, "quantization_config": None,
    "sliding_window": None, "_flash_attn_2_enabled": True, "model_max_length": 2048,
    "layer_types": None,
}  # fmt: skip


@pytest.mark.sampled(2)
@pytest.mark.parametrize("key", HARMLESS)
def test_keys_that_change_nothing_are_known(llama: Path, key: str) -> None:
    ids = torch.randint(0, 20, (2, 9))
    before = mw.from_pretrained(llama)(ids)
    change(llama, **{key: HARMLESS[key]})
    assert torch.equal(mw.from_pretrained(llama)(ids), before)


def test_a_cache_of_sums_has_the_reported_size() -> None:
    model = mw.compile(LINEAR, sets=["max_positions=8192"]).eval()
    cache = cache_of(model, 4096)
    with torch.no_grad():
        model(torch.zeros(1, 4096, dtype=torch.long), cache=cache)
    held = sum(state.untyped_storage().nbytes() for state in cache.states.values())
    assert held == mw.report(LINEAR, sequence=64).cache_bytes


@pytest.mark.slow
def test_linear_attention_is_exported_at_any_length() -> None:
    auto = torch.export.Dim.AUTO
    model = mw.compile(LINEAR).eval()
    ids = torch.zeros(2, 9, dtype=torch.long)
    whole = torch.export.export(model, (ids,), dynamic_shapes=({0: auto, 1: auto},)).module()
    for length in (5, 64, 65, 100):
        ids = torch.randint(0, 200, (2, length))
        assert torch.allclose(whole(ids), model(ids), atol=1e-5)


def test_dtypes_that_no_model_has_are_refused() -> None:
    for dtype in ("float8_e4m3fn", "int8", "complex64", "float99"):
        with pytest.raises(ValueError, match=f"float16 or float64, not {dtype}"):
            mw.compile(TINY_LLAMA, dtype=dtype)


MISTAKES = {
    "quoted flag": ('bias: "true"', "in quotes"),
    "no space": ("attention: {heads:4}", "space"),
}


@pytest.mark.parametrize(("line", "hint"), MISTAKES.values(), ids=list(MISTAKES))
def test_mistakes_of_yaml_have_hints(tmp_path: Path, line: str, hint: str) -> None:
    text = "name: t\nfamily: decoder-only\nvocab_size: 9\nd_model: 8\nlayers: 1\n"
    text += "" if line.startswith("attention") else "attention: {heads: 2}\n"
    (tmp_path / "t.yaml").write_text(f"{text}{line}\n")
    result = CliRunner().invoke(cli, ["check", str(tmp_path / "t.yaml")])
    assert result.exit_code == 2
    assert hint in result.stderr


@pytest.mark.parametrize("base", ["missing.yaml", "t.yaml", "../t.yaml"])
def test_a_base_that_cannot_be_read_is_the_one_error(tmp_path: Path, base: str) -> None:
    (tmp_path / "t.yaml").write_text(f"extends: {base}\nname: t\n")
    result = CliRunner().invoke(cli, ["check", str(tmp_path / "t.yaml")])
    assert result.exit_code == 2
    assert result.stderr.count("t.yaml:1:") == 1
    assert "family" not in result.stderr
