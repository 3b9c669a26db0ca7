"""`modelwright masks`."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from modelwright.cli import cli


def masks(*words: str | Path) -> Result:
    result = CliRunner().invoke(cli, ["masks", *map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def words_of(path: Path) -> str:
    """The text of a picture, lines joined."""
    lines = re.findall(r">([^<]*)</text>", path.read_text(encoding="utf-8"))
    return html.unescape(" ".join(lines))


@pytest.fixture
def bigbird(examples: Path) -> Path:
    return examples / "bigbird_base.yaml"


def test_an_svg_is_written_and_reported(bigbird: Path, tmp_path: Path) -> None:
    result = masks(bigbird, "-o", tmp_path / "masks.svg")
    assert (result.exit_code, result.stderr) == (0, f"wrote {tmp_path / 'masks.svg'}\n")
    assert (tmp_path / "masks.svg").read_text(encoding="utf-8").startswith("<svg")
    text = words_of(tmp_path / "masks.svg")
    assert "drawn as blocks(2, 1) | global(0:2) | global(-2:) | random(2, 3, 0): 668" in text
    assert "sizes are divided by 32" in text


def test_options_reach_the_picture(bigbird: Path, tmp_path: Path) -> None:
    out = tmp_path / "masks.svg"
    words = ["--tokens", "64", "--scale-down", "16", "--padding", "4", "--theme", "print"]
    assert masks(bigbird, "-o", out, *words, "--kernel-blocks").exit_code == 0
    text = words_of(out)
    assert "Drawn with 64 tokens; sizes are divided by 16." in text
    assert "attention_mask: 0 at the last 4" in text
    assert "scores outside the tiles are skipped" in text
    assert "prefers-color-scheme" not in out.read_text(encoding="utf-8")


def test_padding_leaves_a_token(bigbird: Path, tmp_path: Path) -> None:
    done = masks(bigbird, "-o", tmp_path / "masks.svg", "--tokens", "20", "--padding", "600")
    assert done.exit_code == 2
    assert "padding (600) must be below tokens (20)" in done.stderr


def test_set_changes_the_mask(bigbird: Path, tmp_path: Path) -> None:
    out = tmp_path / "masks.svg"
    assert masks(bigbird, "-o", out, "--set", "mask=causal | prefix").exit_code == 0
    assert "prefix_length: 6" in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-o", "masks.gif"], "the suffix must name a format"),
        (["-o", "masks.svg", "--tokens", "0"], "1<=x<=512"),
        (
            ["-o", "masks.svg", "--set", "attention=none", "--set", "mask=full"],
            "has no attention scores, so it has no masks",
        ),
    ],
)
def test_drawing_errors_give_exit_code_2(
    bigbird: Path, tmp_path: Path, words: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = masks(bigbird, *words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not list(tmp_path.iterdir())
