"""`modelwright diff`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from modelwright.cli import cli


def diff(*words: str | Path) -> Result:
    result = CliRunner().invoke(cli, ["diff", *map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def pair(examples: Path) -> tuple[Path, Path]:
    return examples / "gpt2.yaml", examples / "gpt2_medium.yaml"


def test_words_and_costs(pair: tuple[Path, Path]) -> None:
    result = diff(*pair)
    assert result.exit_code == 0
    assert "12 (gpt2.yaml:8)" in result.stdout
    assert "24 (gpt2_medium.yaml:6)" in result.stdout
    assert "+230,383,360" in result.stdout


def test_equal_specs_say_so_and_exit_with_0(pair: tuple[Path, Path]) -> None:
    result = diff(pair[0], pair[0])
    assert (result.exit_code, result.stdout) == (
        0,
        f"{pair[0]} and {pair[0]} are equal, including defaults.\n",
    )


def test_set_changes_the_second(pair: tuple[Path, Path]) -> None:
    result = diff(pair[0], pair[0], "--set", "positions=rotary")
    assert "rotary (--set positions=rotary)" in result.stdout
    assert f"{pair[0]}, changed" in result.stdout


def test_json(pair: tuple[Path, Path]) -> None:
    data = json.loads(diff(*pair, "--json", "--dtype", "bfloat16").stdout)
    assert data["equal"] is False
    assert data["cost"]["dtype"] == "bfloat16"
    assert {change["path"] for change in data["changes"]} >= {"stacks.decoder.layers"}


def test_figure(pair: tuple[Path, Path], tmp_path: Path) -> None:
    result = diff(*pair, "-o", tmp_path / "diff.svg", "--theme", "light")
    assert result.exit_code == 0
    assert "differences" in result.stdout
    assert f"wrote {tmp_path / 'diff.svg'}" in result.stderr
    text = (tmp_path / "diff.svg").read_text(encoding="utf-8")
    assert text.startswith("<svg")
    assert "marked changed" in text


@pytest.mark.parametrize("words", [["-o", "x.pdf"], ["--set", "layers=many"]])
def test_specs_that_cannot_be_compared_give_exit_code_2(
    pair: tuple[Path, Path], words: list[str]
) -> None:
    result = diff(*pair, *words)
    assert result.exit_code == 2
    assert not result.stdout


def test_a_file_that_is_not_there(pair: tuple[Path, Path]) -> None:
    assert diff(pair[0], "nowhere.yaml").exit_code == 2
