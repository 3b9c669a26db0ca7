"""The scripts in examples/ run for a few steps and do what they claim."""

from __future__ import annotations

import runpy
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from modelwright.cli import cli

Script = Callable[[str], ModuleType]


@pytest.fixture
def script(examples: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    """`script("train_gpt")` is that module."""
    monkeypatch.syspath_prepend(str(examples))
    before = set(sys.modules)
    yield import_module
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) in map(str, examples.glob("*.py")):
            del sys.modules[name]


Run = Callable[..., str]


@pytest.fixture
def run(examples: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("classify.py", "--steps", "5")` is what that prints, run as the main module."""

    def call(name: str, *words: str, columns: int = 100) -> str:
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr(sys, "argv", [str(examples / name), *words])
        monkeypatch.syspath_prepend(str(examples))
        capsys.readouterr()
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            with pytest.raises(SystemExit) as ended:
                runpy.run_path(str(examples / name), run_name="__main__")
        assert not ended.value.code
        return capsys.readouterr().out

    return call


def test_train_gpt_and_resume_from_the_command_line(
    run: Run, examples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tmp_path / "tiny_gpt.safetensors"
    said = run("train_gpt.py", "--steps", "5", "--weights", str(weights))
    assert "5 steps: held-out loss 5." in said
    assert "The with statement is used to " in said
    generate = [
        *("generate", str(examples / "tiny_gpt.yaml")),
        *("--weights", str(weights), "--tokenizer", "bytes", "--prompt", "The ", "--top-k", "40"),
        *("--device", "cpu", "--max-new-tokens", "4"),
    ]
    cli(generate, standalone_mode=False)
    assert "The " in capsys.readouterr().out


def test_train_gpt_learns(script: Script) -> None:
    module = script("train_gpt")
    model = module.mw.compile(module.SPEC, seed=0, sets=["layers=2"])
    before, after = module.train_with_a_bar(model, seconds=600, steps=40)
    assert after < before - 1.5


def test_what_train_gpt_holds_out_is_not_learnt(script: Script) -> None:
    module = script("train_gpt")
    data, held_out = module.read_text()
    assert len(data) > 8 * len(held_out) > 100_000
    assert int(data.max()) < 256
    heard: list[float] = []
    model = module.mw.compile(module.SPEC, seed=0, sets=["layers=1"])
    assert (
        module.train(model, data, seconds=600, steps=3, on_step=lambda done, _: heard.append(done))
        == 3
    )
    assert heard == pytest.approx([1 / 3, 2 / 3, 1])
    assert module.train(model, data, seconds=0.001) == 1


def test_reverse_sequence_pairs(script: Script) -> None:
    import torch

    module = script("reverse_sequence")
    sources, targets = module.draw_pairs(50, torch.Generator().manual_seed(0))
    for source, target in zip(sources.tolist(), targets.tolist(), strict=True):
        words = [word for word in source if word != module.PAD]
        assert module.SHORTEST <= len(words) <= module.LONGEST
        assert target[: len(words) + 1] == [*reversed(words), module.EOS]
        assert set(target[len(words) + 1 :]) <= {module.PAD}


def test_reverse_sequence_runs(run: Run) -> None:
    said = run("reverse_sequence.py", "--steps", "5")
    assert "after 5 steps" in said
    assert "reversed without a mistake: 0.0% before" in said


@pytest.mark.slow
def test_reverse_sequence_learns_it(run: Run) -> None:
    said = run("reverse_sequence.py")
    assert float(said.rpartition("before, ")[2].partition("%")[0]) > 97


def test_classify_holds_out_what_it_tests_on(script: Script) -> None:
    module = script("classify")
    learnt, held_out = (
        [bytes(text.tolist()).decode() for text in texts] for texts in module.read_texts()
    )
    for text, other in zip(held_out, learnt, strict=True):
        pieces = [text[at : at + 60] for at in range(0, len(text) - 60, 60)]
        assert len(pieces) > 50
        again = [piece for piece in pieces if piece in other]  # text repeats: 8 % in 3.13
        assert len(again) < len(pieces) / 10


def test_classify_runs(run: Run) -> None:
    said = run("classify.py", "--steps", "5")
    assert "after 5 steps" in said
    assert "held-out accuracy: " in said


@pytest.mark.slow
def test_classify_learns_it(run: Run) -> None:
    said = run("classify.py")
    assert float(said.rpartition("before, ")[2].partition("%")[0]) > 75


def installed(script: Script) -> ModuleType:
    module = script("embed_sentences")
    pytest.importorskip(module.PACKAGE, reason="the demo's checkpoint is not installed")
    return module


def test_embed_sentences_agrees_with_transformers(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    module = installed(script)
    folder = module.installed_folder()
    assert module.compare(folder, list(module.SENTENCES)) < 1e-5
    assert "largest difference of two similarities: " in capsys.readouterr().out
    vectors = module.embed(folder, list(module.SENTENCES))
    similar = vectors @ vectors.T - 2 * torch.eye(len(vectors))
    assert similar.argmax(1).tolist() == [1, 0, 3, 2, 5, 4]  # the pairs mean the same


def test_embed_sentences_fits_a_terminal(run: Run, script: Script) -> None:
    installed(script)
    said = run("embed_sentences.py", "One.", "Two.", columns=80)
    assert "…" not in said
    assert max(map(len, said.splitlines())) <= 80


@pytest.mark.slow
def test_the_demo_runs(run: Run, examples: Path, script: Script) -> None:
    installed(script)
    said = run("demo.py", "--seconds", "3", "--steps", "4")
    made = [line.split()[1] for line in said.splitlines() if line.startswith("made ")]
    assert len(made) == 6
    for path in made:
        assert (examples.parent / path).stat().st_size > 1000
    assert "held-out loss 5." in said
    assert "bits per byte; in 8 bits, " in said
    assert "it took " in said
