"""`modelwright quantize`: files, measured losses, and generation."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

import modelwright as mw
from modelwright.cli import cli
from modelwright.training.emitted.checkpoints import Stored
from modelwright.training.errors import TrainingError
from modelwright.training.quantizing import quantize_spec
from modelwright.training.sampling import loss_of, samples_of
from modelwright.training.tasks import task_of

pytest.importorskip("torchao")

from modelwright.backends.pytorch.int8_weights import missing


def type_in(*words: str | Path) -> Result:
    result = CliRunner().invoke(cli, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def spec(examples: Path) -> mw.ModelSpec:
    return mw.load(
        examples / "tiny_gpt.yaml", sets=["layers=1", "max_positions=32", "positions=learned"]
    )


@pytest.fixture
def weights(spec: mw.ModelSpec, tmp_path: Path) -> Path:
    mw.save_weights(mw.compile(spec, seed=1), tmp_path / "w.safetensors")
    return tmp_path / "w.safetensors"


def test_loss_and_divergence(spec: mw.ModelSpec, weights: Path, tokens: Path) -> None:
    made = quantize_spec(spec, weights, "int8", tokens, samples=3)
    model = mw.load_weights(mw.compile(spec), weights).eval()
    task = task_of(mw.lower(spec), model)
    batch = samples_of(task, tokens, "val", 32).batch(0, 3)
    with torch.no_grad():
        assert made.before == pytest.approx(float(loss_of(model, *batch)), abs=1e-5)
        assert made.after == pytest.approx(float(loss_of(made.model, *batch)), abs=1e-5)
        p, q = (x(**batch[0])[batch[1] >= 0].log_softmax(-1) for x in (model, made.model))
    assert made.divergence == pytest.approx(float((p.exp() * (p - q)).sum(-1).mean()), rel=1e-3)


def check_quantized_is_refused(spec: Path, weights: Path, tokens: Path) -> None:
    """By all commands that need float weights, and by the script of a run."""
    given = ("--weights", weights)
    new = ("-o", spec.with_name("new"))
    data = ("--data", tokens)
    for words in (
        ("prune", spec, *given, *data, "--layers", "1", "-o", spec.with_name("new.yaml")),
        ("train", spec, *given, *data, *new),
        ("train", spec, "--teacher", spec, "--teacher-weights", weights, *data, *new),
        ("quantize", spec, *given, "--to", "int8", "-o", spec.with_name("new.safetensors")),
    ):
        result = type_in(*words)
        assert result.exit_code == 2, words
        assert result.stderr.count(weights.name) == 1, words
        assert "these weights are quantized (int8); give the float weights" in result.stderr
        assert "not a valid" not in result.stderr
        assert not list(spec.parent.glob("new*"))
    with pytest.raises(TrainingError, match="are quantized"):
        Stored(weights)


def test_the_command(spec: mw.ModelSpec, weights: Path, tokens: Path, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(mw.to_yaml(spec), encoding="utf-8")
    output = tmp_path / "int8.safetensors"
    words = ("quantize", tmp_path / "spec.yaml", "--weights", weights, "--to", "int8", "-o")
    result = type_in(*words, output, "--data", tokens, "--samples", "2")
    assert result.exit_code == 0, result.stderr
    assert "not quantized: position_embedding.weight (an embedding)\n" in result.stderr
    assert "divergence" in result.stderr
    result = type_in(
        "generate", tmp_path / "spec.yaml", "--weights", output, "--tokenizer", "bytes",
        "--prompt", "The", "--max-new-tokens", "4",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("The")
    assert ("slower than float32 on this CPU" in result.stderr) == bool(missing())
    check_quantized_is_refused(tmp_path / "spec.yaml", output, tokens)
    result = type_in(*words, output)
    assert (result.exit_code, "not overwritten (use --force)" in result.stderr) == (2, True)
    result = type_in(*words, tmp_path / "int8.pt")
    assert (result.exit_code, "the suffix must be .safetensors" in result.stderr) == (2, True)
