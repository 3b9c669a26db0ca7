"""The documentation site: every page exists, and every internal link has a target."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import modelwright as mw
from modelwright.cli import COMMANDS

DOCS = Path(__file__).resolve().parent.parent / "docs"
HAS_MKDOCS = importlib.util.find_spec("mkdocs") is not None


@pytest.fixture(scope="module")
def site() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_site", DOCS / "site.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def assembled(site: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    site.assemble(folder)
    return folder


def test_every_page_command_and_name_is_there(assembled: Path) -> None:
    pages = assembled / "pages"
    for path in DOCS.rglob("*.md"):
        assert (pages / "docs" / path.relative_to(DOCS)).is_file()
    for name in COMMANDS:
        text = (pages / f"commands/{name}.md").read_text(encoding="utf-8")
        assert text.startswith(f"# modelwright {name}\n\n```text\nmodelwright {name} ")
        assert "| `-h, --help` | Show this message and exit. |" in text
    table = (pages / "commands/index.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| \[(\S+)\]", table, re.M) == list(COMMANDS)
    names = re.findall(r"^## (\S+)$", (pages / "api.md").read_text(encoding="utf-8"), re.M)
    assert names == [name for name in mw.__all__ if not name.startswith("__")]


def test_links_are_checked(site: ModuleType, assembled: Path, tmp_path: Path) -> None:
    """`assemble` refuses broken ones; code is no link."""
    assert list(site.broken_links(assembled / "pages")) == []
    text = "[a](gone.md) [b](there.md#x) [c](https://example.org) `[d](code.md)`\n"
    (tmp_path / "there.md").write_text(f'{text}<img src="gone.svg">\n', encoding="utf-8")
    assert list(site.broken_links(tmp_path)) == ["there.md: gone.md", "there.md: gone.svg"]


def test_the_menu_leads_to_pages(site: ModuleType, assembled: Path) -> None:
    def pages(menu: object) -> list[str]:
        if isinstance(menu, str):
            return [menu]
        parts = menu.values() if isinstance(menu, dict) else menu
        return [page for part in parts for page in pages(part)]  # type: ignore[attr-defined]

    found = pages(site.settings()["nav"])
    assert len(found) == len(set(found))
    assert [page for page in found if not (assembled / "pages" / page).is_file()] == []
    assert {f"docs/{path.name}" for path in DOCS.glob("*.md")} <= {*found}


@pytest.mark.slow
@pytest.mark.skipif(not HAS_MKDOCS, reason="no mkdocs here; `make site` installs it")
def test_the_site_is_built_and_asks_nothing_of_the_network(assembled: Path) -> None:
    build = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict"]
    done = subprocess.run(build, cwd=assembled, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for page in (assembled / "site").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert re.findall(r'<(?:script|img|iframe)[^>]* src="https?:[^"]*"', text) == []
        assert re.findall(r'<link rel="stylesheet"[^>]* href="https?:', text) == []
