"""The lectures run, their claims hold, and their pages are current (`make lectures`)."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
LECTURES = sorted((DOCS.parent / "examples" / "lectures").glob("[0-9]*.py"))
NUMBER = re.compile(r"[+-]?\d[\d,]*(\.\d+)?(e[+-]\d+)?")


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_lectures", DOCS / "lectures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # for its dataclasses
    spec.loader.exec_module(module)
    return module


def without_results(page: str) -> str:
    """A page whose printed numbers are masked: the last digits depend on the machine."""
    parts = re.split(r"(```text\n.*?```)", page, flags=re.S)
    return "".join(NUMBER.sub("#", p) if p.startswith("```text") else p for p in parts)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("path", LECTURES, ids=lambda path: path.stem)
def test_a_lecture_holds_and_its_page_is_current(path: Path, writer: ModuleType) -> None:
    """Running it checks its claims, which are assertions."""
    files: dict[str, bytes] = writer.files_of(path)
    page, *figures = files
    there = (DOCS / page).read_text(encoding="utf-8")
    assert without_results(files[page].decode()) == without_results(there), "run `make lectures`"
    assert {f"lectures/{p.name}" for p in (DOCS / "lectures").glob(f"{path.stem}_*")} == {*figures}
    for name in figures:
        assert f'<img src="{Path(name).name}"' in there
        assert files[name].startswith(b"<svg")


@pytest.mark.parametrize("path", LECTURES, ids=lambda path: path.stem)
def test_a_lecture_checks_its_numbers(path: Path) -> None:
    """Each printed result has an assertion in its cell or beside it."""
    code = path.read_text(encoding="utf-8")
    assert code.count("assert ") >= 1
    assert code.startswith("# %% [markdown]\n# # ")
    assert len(re.findall(r"^# %%", code, re.M)) >= 5


@pytest.mark.parametrize("path", LECTURES, ids=lambda path: path.stem)
def test_the_notebook_of_a_lecture_is_current(path: Path, writer: ModuleType) -> None:
    """It has the cells of the script, needs no file beside it, and contains no results."""
    there = (DOCS / "lectures" / f"{path.stem}.ipynb").read_bytes()
    assert there == writer.notebook_of(path), "run `make lectures`"
    book = json.loads(there)
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] for cell in code)
    text = "\n".join("".join(cell["source"]) for cell in code)
    assert "import figures" not in text
    assert "from figures" not in text
    assert "__file__" not in text.replace("mw.__file__", "")
    assert ("figure(" in text) == ("def figure(" in text)
    assert text.count("assert ") == path.read_text(encoding="utf-8").count("assert ")


@pytest.mark.slow
@pytest.mark.parametrize("path", LECTURES, ids=lambda path: path.stem)
def test_the_notebook_of_a_lecture_runs(path: Path, tmp_path: Path) -> None:
    """In a Jupyter kernel, from an empty folder; its claims are assertions."""
    for name in ("nbclient", "ipykernel"):
        pytest.importorskip(name, reason=f"no {name} here; pip install nbclient ipykernel")
    import nbformat
    from nbclient import NotebookClient

    book = nbformat.read(DOCS / "lectures" / f"{path.stem}.ipynb", as_version=4)
    nbformat.validate(book)
    NotebookClient(book, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    figures = [out for cell in book.cells for out in cell.get("outputs", []) if "data" in out]
    drawn = len([*(DOCS / "lectures").glob(f"{path.stem}_*.svg")])
    assert sum("image/svg+xml" in out["data"] for out in figures) == drawn


def test_the_index_lists_all_lectures(writer: ModuleType) -> None:
    assert (DOCS / "lectures" / "index.md").read_text(encoding="utf-8") == writer.index_page()
    assert len(LECTURES) == 14


def test_links_and_figures_of_the_pages_are_there() -> None:
    for page in (DOCS / "lectures").glob("*.md"):
        text = page.read_text(encoding="utf-8")
        targets = re.findall(r'<img src="([^"]+)"', text)
        targets += re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
        assert [t for t in targets if not (page.parent / t).exists()] == [], page.name
