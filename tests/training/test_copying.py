"""Files of a run: slots and imports are replaced, the rest is copied, and linters pass."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import modelwright as mw
from modelwright.backends.pytorch import is_ours_unedited
from modelwright.training.copying import EMITTED, copied, literal, sealed
from modelwright.training.runs import SHARED, prepare


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> Path:
    """The run folder of examples/tiny_gpt.yaml."""
    out = tmp_path_factory.mktemp("runs") / "tiny_gpt"
    prepare(mw.load(examples / "tiny_gpt.yaml"), out, {"data": "tokens"})
    return out


@pytest.mark.parametrize("module", SHARED)
def test_shared_modules_differ_in_imports_only(module: str) -> None:
    before = (EMITTED / f"{module}.py").read_text(encoding="utf-8").splitlines()
    after = copied(module).splitlines()
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert all(a.startswith("from .") and b == a.replace(" .", " ", 1) for a, b in changed)


def test_slots_are_filled() -> None:
    text = copied("text", slots={"VOCABULARY": 50257, "INPUTS": ("input_ids", "document_ids")})
    assert "\nVOCABULARY = 50257\n" in text
    assert '\nINPUTS = ("input_ids", "document_ids")\n' in text
    assert "# vocab_size" in text


def test_a_slot_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError, match="files has no slot PAD"):
        copied("files", slots={"PAD": 0})


def test_an_edited_file_is_known() -> None:
    text = sealed(copied("files"))
    assert is_ours_unedited(text)
    assert not is_ours_unedited(text.replace("fail", "stop", 1))


def test_literals_are_written_as_a_formatter_does() -> None:
    assert literal(("a",)) == '("a",)'
    assert literal(("a", 'b"', 3)) == r'("a", "b\"", 3)'


def test_a_run_is_written_as_before(run: Path, golden: Callable[[Path, str], None]) -> None:
    folder = Path(__file__).parent.parent / "golden" / "train_tiny_gpt"
    for name in ("train.py", "samples.py"):
        golden(folder / name, (run / name).read_text(encoding="utf-8"))


def test_ruff_accepts_the_files(run: Path) -> None:
    rules = "F,E,W,I,UP,B,C4,SIM,RET"
    ignored = "RET504,RET505,SIM102"  # as other tests of model.py
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--line-length=100"]
    command += [f"--select={rules}", f"--ignore={ignored}", "--target-version=py311", "."]
    done = subprocess.run(command, cwd=run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length=100"]
    files = [path.name for path in run.glob("*.py") if path.name != "model.py"]
    done = subprocess.run(
        [*command, "--check", "--diff", *files], cwd=run, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_emitted_files_do_not_import_modelwright(run: Path) -> None:
    for path in run.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "import modelwright" not in text
        assert "from modelwright" not in text
        assert "from ." not in text


@pytest.mark.slow
def test_mypy_accepts_the_files(run: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(run / ".mypy")]
    command += ["--disable-error-code=no-any-return", "."]
    done = subprocess.run(command, cwd=run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
