"""`modelwright generate`: notes about texts that are longer than the training length."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

import modelwright as mw
from modelwright.cli import cli

SPEC = """name: x
family: decoder-only
vocab_size: 300
max_positions: 8
d_model: 8
layers: 1
positions: rotary
attention: {heads: 2}
head: language_model
"""


@pytest.mark.parametrize(("count", "warns"), [(5, False), (6, True)])
def test_it_warns_where_training_ended(tmp_path: Path, count: int, warns: bool) -> None:
    spec, weights = tmp_path / "x.yaml", tmp_path / "x.safetensors"
    spec.write_text(SPEC)
    mw.save_weights(mw.compile(spec), weights)
    words = ["generate", spec, "--weights", weights, "--tokenizer", "bytes", "--prompt", "abc"]
    words += ["--max-new-tokens", count, "--device", "cpu"]
    done = CliRunner().invoke(cli, [str(word) for word in words])
    assert done.exit_code == 0
    assert ("`decoder` was trained on at most 8 (max_positions)" in done.stderr) == warns


def test_a_tokenizer_of_another_size_is_noted(tmp_path: Path) -> None:
    spec, weights, file = (
        tmp_path / name for name in ("x.yaml", "x.safetensors", "tokenizer.json")
    )
    spec.write_text(SPEC)
    mw.save_weights(mw.compile(spec), weights)
    tokenizers = pytest.importorskip("tokenizers")
    words = {"a": 0, **{f"word{number}": number for number in range(1, 400)}}
    tokenizers.Tokenizer(tokenizers.models.WordLevel(words)).save(str(file))
    given = ["generate", spec, "--weights", weights, "--tokenizer", file, "--prompt", "a"]
    done = CliRunner().invoke(cli, [*map(str, given), "--max-new-tokens", "2", "--device", "cpu"])
    assert done.exit_code == 0
    assert f"warning: {file} has 400 tokens, but vocab_size is 300" in done.stderr


def test_beams(tmp_path: Path) -> None:
    """The text of `beam_search`, for encoder-decoders only."""
    text = SPEC.replace("decoder-only", "encoder-decoder")
    spec, weights = tmp_path / "x.yaml", tmp_path / "x.safetensors"
    words = ["generate", spec, "--weights", weights, "--tokenizer", "bytes", "--prompt", "abc"]
    words += ["--max-new-tokens", 6, "--beams", 3, "--device", "cpu", "-q"]
    spec.write_text(text + "tokens: {decoder_start: 1, eos: 10}\ninit: {std: 0.5}\n")
    model = mw.compile(spec, seed=1, beam_search=True).eval()
    mw.save_weights(model, weights)
    done = CliRunner().invoke(cli, [str(word) for word in words])
    ids = model.beam_search(torch.tensor([[97, 98, 99]]), 6, beams=3)[0, 1:].tolist()
    assert done.stdout == bytes(i for i in ids if i < 256).decode(errors="replace") + "\n"
    spec.write_text(SPEC)
    done = CliRunner().invoke(cli, [str(word) for word in words])
    assert done.exit_code == 2
    assert "Error: --beams does not apply to x, which has no decoder that reads" in done.stderr


@pytest.mark.parametrize(
    ("word", "near"), [("biuld", "build"), ("visualise", "visualize"), ("chek", "check")]
)
def test_a_misspelt_command_has_a_hint(word: str, near: str) -> None:
    done = CliRunner().invoke(cli, [word, "x.yaml"])
    assert done.exit_code == 2
    assert f"Did you mean '{near}'?" in done.stderr
