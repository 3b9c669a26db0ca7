"""The package as installed: files, versions, commands and examples in docstrings."""

from __future__ import annotations

import doctest
import importlib
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from package_files import FLOORS, modules, run


def test_python_dash_m_is_the_command() -> None:
    done = run("-m", "modelwright", "--version")
    assert done.stdout == f"modelwright, version {project_version()}\n"


def project_version() -> str:
    text = (Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8")
    return str(tomllib.loads(text)["project"]["version"])


def test_the_version_is_defined_once() -> None:
    import modelwright

    assert modelwright.__version__ == project_version()


def test_lint_refuses_top_level_imports_of_our_folders(root: Path) -> None:
    ruff = [sys.executable, "-m", "ruff", "check", "--config", str(root / "pyproject.toml")]
    ruff += ["--select", "TID251", "--stdin-filename", str(root / "tests" / "x.py"), "-"]
    for folder in FLOORS:
        code = f"from {folder} import x\nimport {folder}.y\n"
        done = subprocess.run(ruff, input=code, capture_output=True, text=True, check=False)
        assert done.stdout.count("TID251") == 2, done.stdout + done.stderr


def test_every_folder_of_the_package_is_listed(root: Path) -> None:
    listed = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    found = {
        ".".join(["modelwright", *file.parent.relative_to(root).parts])
        for name, file in modules(root)
        if file.name == "__init__.py"
    }
    assert set(listed["tool"]["setuptools"]["packages"]) == found


def page_files(root: Path) -> list[str]:
    """The page of the explorer, which is no file of the repository: none where it is not built."""
    return [f"explorer/bundle/{path.name}" for path in (root / "explorer" / "bundle").glob("*")]


@pytest.fixture(scope="module")
def built(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist, built from a copy in a folder with a dash."""
    out = tmp_path_factory.mktemp("dist")
    clone = out / "my-clone"
    files = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=root, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, [*files, *page_files(root)]):
        source = root / name
        if source.is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            (clone / name).write_bytes(source.read_bytes())
    done = run("-m", "build", "--no-isolation", "--outdir", str(out), str(clone))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return out


def test_wheel_holds_the_package_and_nothing_else(root: Path, built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = {f"modelwright/{file.relative_to(root).as_posix()}" for _, file in modules(root)}
    expected |= {f"modelwright/examples/{p.name}" for p in (root / "examples").glob("*.yaml")}
    fonts = root / "backends" / "diagram" / "fonts"
    expected |= {f"modelwright/{p.relative_to(root).as_posix()}" for p in fonts.iterdir()}
    expected |= {"modelwright/py.typed", "modelwright/examples/schema.json"}
    expected |= {"modelwright/backends/huggingface/defaults.json"}
    expected |= {f"modelwright/{name}" for name in page_files(root)}
    assert names == expected


def test_wheel_works_where_it_is_installed(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import modelwright; assert modelwright.__file__.startswith(sys.path[0])\n"
        "from modelwright.cli import main; sys.argv = ['modelwright', 'new', 'gpt2']; main()"
    )
    done = run("-c", code, cwd=tmp_path)
    assert "name: gpt2" in done.stdout, done.stderr


def test_sdist_can_build_the_package(root: Path, built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {file.relative_to(root).as_posix() for _, file in modules(root)}
    needed |= {"pyproject.toml", "README.md", "LICENSE", "py.typed", "examples/gpt2.yaml"}
    assert needed <= names


def test_constraints_pin_what_the_project_needs(root: Path) -> None:
    pins = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [project["dependencies"], *project["optional-dependencies"].values()]
    names = {line.split(">")[0].split("=")[0] for lines in wanted for line in lines}
    assert names <= pins


def test_ci_runs_the_tests(root: Path) -> None:
    script = root / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "make test" in script.read_text(encoding="utf-8").splitlines()


def test_the_lowest_versions_are_those_of_pyproject(root: Path) -> None:
    """constraints-lowest.txt has the lower bounds of all but torch; extras: explore, data."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bounds = {}
    extras = project["optional-dependencies"]
    for requirement in project["dependencies"] + extras["explore"] + extras["data"]:
        found = re.match(r"([\w-]+)>=([\d.]+)", requirement)
        assert found, requirement
        bounds[found[1]] = [int(part) for part in found[2].split(".")]
    text = (root / "constraints-lowest.txt").read_text(encoding="utf-8")
    for name, version in re.findall(r"^([\w-]+)==([\d.]+)$", text, re.MULTILINE):
        numbers = [int(part) for part in version.split(".")]
        bound = bounds.pop(name)
        assert numbers[: len(bound)] == bound, name
        assert not any(numbers[len(bound) :]), name
    assert set(bounds) == {"torch"}


def doctested(root: Path) -> list[str]:
    return sorted(
        name for name, file in modules(root) if ">>> " in file.read_text(encoding="utf-8")
    )


@pytest.mark.parametrize("name", doctested(Path(__file__).parent.parent))
def test_examples_in_docstrings(name: str) -> None:
    module = importlib.import_module(f"modelwright.{name}" if name else "modelwright")
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert result.attempted
    assert not result.failed


def test_no_machine_paths_in_the_repository(root: Path) -> None:
    words = ("/work" + "/main", "/tmp" + "/", "/home" + "/")
    for name, file in modules(root):
        text = file.read_text(encoding="utf-8")
        assert not [word for word in words if word in text], name
