"""Options without effect, and numbers that are not finite, are errors of all commands."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from modelwright.cli import COMMANDS, cli
from modelwright.cli.effects import USELESS
from modelwright.training.emitted.settings import Settings, checked
from modelwright.training.errors import TrainingError
from modelwright.training.pruning import Amount

SPEC = """name: small
family: decoder-only
vocab_size: 256
max_positions: 32
d_model: 32
layers: 2
positions: learned
attention: {heads: 2}
head: language_model
"""
GIVEN = {
    "weights": "w", "layers": "1", "heads": "1", "output": "-", "port": "1", "host": "h",
    "tokenizer": "bytes", "token": "t", "plugins": "p.py", "sets": "layers=1", "fields": "text=a",
    "end": "none", "processes": "1", "devices": "2", "samples": "1", "length": "1", "top_k": "1",
    "top_p": "0.5", "seed": "1", "unroll": "1", "format": "svg", "theme": "dark",
    "temperature": "1", "length_penalty": "1",
}  # fmt: skip
"""Parameter -> a value for it; all others are flags."""
BASE = {
    "new": "", "build": "s.yaml -o -", "verify": "s.yaml", "inspect": "s.yaml --json",
    "visualize": "s.yaml -o - --depth stack", "masks": "s.yaml -o -",
    "attend": "s.yaml --weights w --tokenizer bytes --text a -o -", "diff": "s.yaml s.yaml",
    "explore": "--static folder", "schema": "", "import": "folder",
    "tokenizer": "a.txt --vocab 300 -o -", "data": "a.txt --kind images -o out",
    "train": "s.yaml -o run --write-only", "quantize": "s.yaml --weights w --to int8 -o q",
    "generate": "s.yaml --weights w --tokenizer bytes --prompt a --temperature 0",
}  # fmt: skip
"""Command -> words with which the options of its rows have no effect."""
OTHER = {
    ("explore", "force"): "", ("explore", "watch"): "", ("new", "force"): "gpt2",
    ("data", "fields"): "a.txt --kind text -o out",
    ("generate", "temperature"): "s.yaml --weights w --tokenizer bytes --prompt a --beams 2",
}  # fmt: skip
ROWS = [(command, name) for command, rows in USELESS.items() for row in rows for name in row.names]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    plugin = "from modelwright.plugins import Plugin\n\nPLUGIN = Plugin()\n"
    for name, text in {"s.yaml": SPEC, "a.txt": "", "w": "", "bytes": "", "p.py": plugin}.items():
        Path(name).write_text(text, encoding="utf-8")
    Path("folder").mkdir()
    return tmp_path


def said(words: str) -> str:
    result = CliRunner().invoke(cli, words.split())
    assert result.exit_code == 2, (words, result.output)
    return result.stderr


def option(command: str, name: str) -> tuple[str, str]:
    """An option, and a value for it."""
    found = cli.get_command(click.Context(cli), command)
    assert found is not None
    (one,) = (one for one in found.params if one.name == name)
    assert isinstance(one, click.Option)
    return max(one.opts, key=len), "" if one.is_flag else GIVEN[name]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("command", "name"), dict.fromkeys(ROWS))
def test_an_option_without_effect_is_refused(command: str, name: str, folder: Path) -> None:
    """With the name of the option that makes it useless, before anything is read or written."""
    base = OTHER.get((command, name), BASE[command])
    word, value = option(command, name)
    before = sorted(folder.iterdir())
    found = said(f"{command} {base} {word} {value}")
    assert found.startswith(f"Error: {word} has no effect with")  # or without
    assert sorted(folder.iterdir()) == before


PAIRS = {
    "data a.jsonl --tokenizer bytes --field label=x -o out": "for `label` with --kind text",
    "data a.npz --kind images --end none -o out": "--end has no effect with --kind images",
    "train s.yaml --data x -o r --final-lr 0.2 --schedule wsd": "no effect with --schedule wsd",
    "train s.yaml --data x -o r --temperature 1": "--temperature has no effect without --teacher",
    "train s.yaml --data x -o r --weights w --start-from-teacher": (
        "--weights and --start-from-teacher both give the initial weights; choose one"
    ),
    "train s.yaml --data x -o r --teacher s.yaml --teacher-weights w --layer-pairs 1:1": (
        "--layer-pairs has no effect without `relations` or `hidden` in --distill"
    ),
    "train s.yaml --data x -o r --teacher s.yaml --teacher-weights w --hidden-weight 1": (
        "--hidden-weight has no effect without `hidden` in --distill"
    ),
    "prune s.yaml --weights w --data x -o o --heads 0%": "`0%` removes nothing",
    "prune s.yaml --weights w --data x -o o --layers 0": "0 is not in the range",
}


@pytest.mark.parametrize("words", PAIRS)
def test_pairs_of_options(words: str, folder: Path) -> None:
    assert PAIRS[words] in said(words)


def test_a_fraction_of_zero_is_refused() -> None:
    with pytest.raises(TrainingError, match="1 % of 4 heads is none"):
        Amount.of("1%").from_total(4, 1, "heads")


def numbers() -> list[tuple[str, str]]:
    """Each option of each command that takes a real number."""
    commands = ((name, cli.get_command(click.Context(cli), name)) for name in COMMANDS)
    return [
        (name, max(one.opts, key=len))
        for name, command in commands
        if command is not None
        for one in command.params
        if isinstance(one.type, click.types.FloatParamType)
    ]


@pytest.mark.parametrize(("command", "word"), numbers())
def test_numbers_are_finite(command: str, word: str, folder: Path) -> None:
    for value in ("nan", "inf", "-inf"):
        found = said(f"{command} s.yaml {word}={value}")
        assert f"Invalid value for '{word}'" in found
    assert "is not a finite number" in said(f"{command} s.yaml {word}=nan")


BEYOND = {
    "beta1": 1.0, "beta2": 1.0, "label_smoothing": 1.1, "final_lr": 1.1, "logits_weight": 1.1,
    "seed": 2**62, "lr": float("inf"), "clip": float("nan"),
}  # fmt: skip


@pytest.mark.parametrize("name", BEYOND)
def test_settings_have_upper_bounds(name: str, folder: Path) -> None:
    """In settings.json and on the command line; nothing is written."""
    with pytest.raises(TrainingError, match=rf"{name} must be (below|at most|a finite)"):
        checked({"data": "x", name: BEYOND[name]})
    word = f"--{name.replace('_', '-')}"
    assert f"Invalid value for '{word}'" in said(
        f"train s.yaml --data x -o r {word}={BEYOND[name]}"
    )
    assert not Path("r").exists()
    assert getattr(Settings(), name) != BEYOND[name]
