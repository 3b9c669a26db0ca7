"""The static page, where Python runs in the browser."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydantic_core
import pytest
from click.testing import CliRunner
from explore_server import SMALL, served_files
from explore_view import View

from modelwright.cli import cli
from modelwright.explorer import browser as browser_answers
from modelwright.explorer import page_files, static
from modelwright.explorer.static import (
    COMPILED,
    PYODIDE,
    PythonMissingError,
    packages,
    write_page,
)
from modelwright.outputs import OutputError

PAGE = (Path(__file__).parents[2] / "explorer/page/index.html").read_text(encoding="utf-8")
WHEEL = f"pydantic_core-{pydantic_core.__version__}-cp314-cp314-wasm32.whl"
BARE = """
import json, sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
for name in ("torch", "networkx", "graphviz", "click", "numpy", "safetensors"):
    sys.modules[name] = None  # importing it fails
from modelwright.explorer.browser import ask
start = json.loads(ask("start", "{}"))
print(len(start["examples"]), start["first"])
for name in ("gpt2", "t5_small", "clip_vit_b32"):
    for what in ("figure", "code", "links", "masks"):
        body = {"ask": what, "text": start["examples"][name], "name": name}
        assert json.loads(ask("answer", json.dumps(body)))["problems"] == []
"""


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins for Pyodide and for the built page, which may not be there."""
    page, folder = tmp_path / "bundle", tmp_path / "pyodide"
    for place, names in ((page, ("page.js", "page.css", "python.js")), (folder, PYODIDE)):
        place.mkdir()
        for name in (*names, WHEEL):
            (place / name).write_text(name, encoding="utf-8")
    with zipfile.ZipFile(folder / COMPILED, "w") as archive:
        archive.writestr("sources.json", "{}")
    (page / "index.html").write_text(PAGE, encoding="utf-8")
    monkeypatch.setattr(page_files, "BUNDLE", page)
    return folder


def test_the_folder_has_all_that_the_page_loads(python: Path, tmp_path: Path) -> None:
    folder = tmp_path / "page"
    size = write_page(folder, {"name": "a.yaml", "text": SMALL, "digest": ""}, python)
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.*")}
    page = {"index.html", "page.js", "page.css", "python.js"}
    own = {"packages.zip", "pydantic_core.whl", "spec.json"}
    assert {*found} == page | {f"python/{name}" for name in (*PYODIDE, *own)}
    assert size == sum(path.stat().st_size for path in found.values())
    assert json.loads(found["python/spec.json"].read_text(encoding="utf-8"))["name"] == "a.yaml"
    assert packages() == packages()


def test_bytecode_is_used_only_for_its_source(tmp_path: Path) -> None:
    """A file that changed after `make explore-python` is added as source."""
    sources = zipfile.ZipFile(io.BytesIO(packages()))
    names = ("modelwright/spec/load.py", "modelwright/backends/pytorch/runtime/loading.py")
    stale = "modelwright/spec/files.py"
    digests = {name: hashlib.sha256(sources.read(name)).hexdigest() for name in names}
    with zipfile.ZipFile(tmp_path / COMPILED, "w") as archive:
        archive.writestr("sources.json", json.dumps({**digests, stale: "another"}))
        for name in (*names, stale):
            archive.writestr(f"{name}c", b"bytecode")
    made = zipfile.ZipFile(io.BytesIO(packages(tmp_path / COMPILED)))
    found = {*made.namelist()}
    assert found == {*sources.namelist()} - {names[0]} | {f"{name}c" for name in names}
    assert made.read(f"{names[0]}c") == b"bytecode"


def test_the_policy_allows_no_script_in_the_page(python: Path, tmp_path: Path) -> None:
    write_page(tmp_path / "page", None, python)
    text = (tmp_path / "page/index.html").read_text(encoding="utf-8")
    assert text.index("Content-Security-Policy") < text.index("<script")
    assert "script-src 'self' 'wasm-unsafe-eval';" in text
    assert "'unsafe-" not in text
    assert "{nonce}" not in text


def test_the_packages_answer_without_torch(tmp_path: Path) -> None:
    """Nothing that the page asks for needs more than what is in the archive."""
    zipfile.ZipFile(io.BytesIO(packages())).extractall(tmp_path / "packages")
    core = tmp_path / "core"
    core.mkdir()
    (core / "pydantic_core").symlink_to(Path(pydantic_core.__file__).parent)
    given = [str(tmp_path / "packages"), str(core)]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", BARE, *given], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1] == "gpt2"


def test_questions_without_an_answer_in_the_browser() -> None:
    def ask(path: str, **asked: Any) -> Any:
        return json.loads(browser_answers.ask(path, json.dumps(asked)))

    assert "need PyTorch" in ask("run")["error"]
    assert "need Graphviz" in ask("answer", ask="export", format="png")["note"]
    assert ask("answer", ask="x")["refused"]
    assert ask("file") == {"refused": "there is no question `file`"}


def test_missing_parts_are_named(python: Path, tmp_path: Path) -> None:
    (python / WHEEL).rename(python / "pydantic_core-0.1-x.whl")
    with pytest.raises(PythonMissingError, match=r"needs pydantic_core .*run `make explore-python"):
        write_page(tmp_path / "page", None, python)
    (python / "pydantic_core-0.1-x.whl").rename(python / WHEEL)
    (python / "pyodide.mjs").unlink()
    with pytest.raises(PythonMissingError, match=r"pyodide\.mjs is missing.*make explore-python"):
        write_page(tmp_path / "page", None, python)
    assert not (tmp_path / "page").exists()


def test_another_folder_is_not_replaced(python: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/a.txt").write_text("a", encoding="utf-8")
    with pytest.raises(OutputError, match="not overwritten"):
        write_page(tmp_path / "mine", None, python, force=True)
    write_page(tmp_path / "page", None, python)
    with pytest.raises(OutputError, match="use --force"):
        write_page(tmp_path / "page", None, python)
    write_page(tmp_path / "page", None, python, force=True)


def test_the_command(python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static.write_page, "__defaults__", (python,))
    done = CliRunner().invoke(cli, ["explore", "--static", str(tmp_path / "page")])
    assert done.exit_code == 0, done.output
    assert "python -m http.server -d" in done.stderr
    done = CliRunner().invoke(cli, ["explore", "--static", str(tmp_path / "b"), "--port", "9"])
    assert done.exit_code == 2
    assert "--port has no effect with --static" in done.stderr


# -- in a browser


@pytest.fixture(scope="module")
def page(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    """The page with its own spec. What it logs, and what it asks of other hosts, fails the test."""
    folder = tmp_path_factory.mktemp("static") / "page"
    write_page(folder, {"name": "small.yaml", "text": SMALL, "digest": ""})
    with served_files(folder) as served:
        shown = View.open(browser, served)
        yield shown
        shown.close()


@pytest.mark.browser_python
def test_it_answers_in_the_browser(page: View) -> None:
    assert page.status.startswith("Small · ")
    page.example("t5_small")
    assert page.status.startswith("T5Small · ")
    assert page.page.locator("#figure g.node").count() > 8
    assert "class Config:" in page.page.inner_text("#panel-code")


@pytest.mark.browser_python
def test_errors_and_what_needs_a_server(page: View) -> None:
    page.example("gpt2")
    page.type("\nlayerz: 3\n")
    assert "unknown key layerz" in page.page.inner_text("#problems")
    page.example("gpt2")
    page.page.get_by_role("tab", name="Attention").click()
    page.settle()
    assert "need PyTorch" in page.page.inner_text("#panel-attention")
