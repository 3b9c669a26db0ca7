"""The drawn pages are complete and current: `make gallery` writes them."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from modelwright.cli import cli
from modelwright.cli.new import example_names

DOCS = Path(__file__).resolve().parent.parent / "docs"
MOST = 2_000_000  # bytes of all that is drawn


@pytest.fixture(scope="module")
def draw() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_draw", DOCS / "draw.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def drawn(draw: ModuleType) -> dict[str, bytes]:
    files: dict[str, bytes] = draw.files()
    return files


def test_every_file_is_there_and_no_other(drawn: dict[str, bytes]) -> None:
    there = {
        f"{folder}/{path.name}"
        for folder in ("gallery", "figures")
        for path in (DOCS / folder).iterdir()
    }
    assert there | {"gallery.md", "figures.md"} == set(drawn), "`make gallery` draws them"


def test_every_file_is_current(drawn: dict[str, bytes]) -> None:
    old = [path for path, data in drawn.items() if (DOCS / path).read_bytes() != data]
    assert not old, "`make gallery` draws them; look at them"


def test_every_example_is_in_the_gallery(drawn: dict[str, bytes], draw: ModuleType) -> None:
    page = drawn["gallery.md"].decode()
    assert re.findall(r"^## (\w+)$", page, re.M) == example_names()
    for name in example_names():
        assert f"gallery/{name}.svg" in drawn
        assert draw.about(name) in page
    masks = [path for path in drawn if path.endswith(".masks.svg")]
    assert "gallery/bigbird_base.masks.svg" in masks
    assert "gallery/gpt2.masks.svg" not in masks


def test_the_files_are_small(drawn: dict[str, bytes]) -> None:
    assert sum(map(len, drawn.values())) < MOST


@pytest.mark.parametrize("page", ["README.md", "docs/gallery.md", "docs/figures.md"])
def test_pages_show_figures_that_are_there(root: Path, page: str) -> None:
    text = (root / page).read_text(encoding="utf-8")
    sources = re.findall(r'<img src="([^"]+)"', text)
    assert sources
    for source in sources:
        assert ((root / page).parent / source).is_file(), source
    assert len(re.findall(r'<img [^>]*alt="[^"]+"', text)) == len(sources)
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert ((root / page).parent / link).exists(), link


def test_the_commands_of_the_page_work(
    examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (DOCS / "figures.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\$ modelwright (.*)$", text, re.M)
    assert {command.split()[0] for command in commands} == {"visualize", "masks", "diff"}
    for path in examples.glob("*.yaml"):
        shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    for command in commands:
        done = CliRunner().invoke(cli, command.split())
        assert done.exit_code == 0, (command, done.output)
    assert {path.name for path in tmp_path.glob("*.svg")} == {
        "transformer.svg",
        "attention.svg",
        "masks.svg",
        "difference.svg",
    }


def test_sizes_are_summarised(draw: ModuleType) -> None:
    assert [draw._short(n) for n in (950, 1_000_000, 124_439_808, 671_026_419_200)] == [
        "950",
        "1.0 M",
        "124.4 M",
        "671.0 B",
    ]
