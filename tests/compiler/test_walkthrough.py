"""CONTRIBUTING's walk-through is run: its files are written into a copy of the package."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import modelwright

HOME = Path(modelwright.__file__).parent
SECTION = "## Add an attention variant, step by step"
ORACLE_ROW = "ATTENTIONS |= {Fastformer: fastformer, Differential: differential}"
UNION = "Pairwise | LinearAttention | Fastformer | Nothing, Tagged"


def blocks() -> dict[str, str]:
    """The files of the walk-through: path -> text."""
    section = (HOME / "CONTRIBUTING.md").read_text(encoding="utf-8").split(SECTION)[1]
    section = section.split("\n## ")[0]
    found = re.findall(r"`([\w/]+\.(?:py|yaml))`[^`]*?\n\n?```\w+\n(.*?)```", section, re.DOTALL)
    return dict(found)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the package, with the variant in it."""
    folder = tmp_path_factory.mktemp("walk")
    package = folder / "modelwright"
    for name in ("spec", "compiler", "backends", "cli"):
        shutil.copytree(HOME / name, package / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in HOME.glob("*.py"):
        shutil.copy(path, package)
    (package / "examples").mkdir()
    for name, text in blocks().items():
        (package / name).write_text(text, encoding="utf-8")
    union = package / "spec/attention/__init__.py"
    text = union.read_text(encoding="utf-8")
    assert text.count(UNION) == 1
    text = text.replace(UNION, UNION.replace("Nothing", "SharedQk | Nothing"))
    text = text.replace("from .score_bias", "from .shared_qk import SharedQk\nfrom .score_bias", 1)
    union.write_text(
        text.replace('"ScoreBias",', '"ScoreBias",\n    "SharedQk",'), encoding="utf-8"
    )
    table = package / "compiler/lower/attention/__init__.py"
    text = table.read_text(encoding="utf-8")
    text = text.replace('    "mha"', '    "shared_qk": lower_shared_qk,\n    "mha"')
    text = text.replace("from .mla", "from .shared_qk import lower_shared_qk\nfrom .mla", 1)
    table.write_text(text, encoding="utf-8")
    rows = package / "backends/oracle/blocks.py"
    text = rows.read_text(encoding="utf-8")
    assert text.count(ORACLE_ROW) == 1
    text = text.replace(ORACLE_ROW, ORACLE_ROW.replace("}", ", SharedQk: shared_qk}"))
    text = text.replace("from .weights", "from .shared_qk import shared_qk\nfrom .weights", 1)
    rows.write_text(text.replace("Fastformer,", "Fastformer, SharedQk,", 1), encoding="utf-8")
    known = package / "backends/oracle/options.py"
    text = known.read_text(encoding="utf-8").replace(
        "\nMla: heads", "\nSharedQk: heads bias\nMla: heads"
    )
    known.write_text(text, encoding="utf-8")
    return folder


def command(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    given = [sys.executable, "-m", "modelwright", *words]
    return subprocess.run(
        given, cwd=copy / "modelwright/examples", env={"PYTHONPATH": str(copy)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_walk_through_writes_four_files_in_numbered_steps() -> None:
    assert list(blocks()) == [
        "spec/attention/shared_qk.py",
        "backends/oracle/shared_qk.py",
        "compiler/lower/attention/shared_qk.py",
        "examples/tiny_reformer.yaml",
    ]
    section = (HOME / "CONTRIBUTING.md").read_text(encoding="utf-8").split(SECTION)[1]
    steps = re.findall(r"^\*\*(\d)\.", section.split("\n## ")[0], re.MULTILINE)
    assert steps == [str(number) for number in range(1, len(steps) + 1)]


def test_the_oracle_agrees(copy: Path) -> None:
    laws = [word for law in ("oracle", "reference") for word in ("--law", law)]
    result = command(copy, "verify", "tiny_reformer.yaml", "--json", *laws)
    assert result.returncode == 0, result.stdout + result.stderr
    found = json.loads(result.stdout)
    assert {law["law"] for law in found["findings"] if law["holds"]} == {"oracle", "reference"}


def test_the_variant_is_built(copy: Path) -> None:
    result = command(copy, "build", "tiny_reformer.yaml", "-o", "-")
    assert result.returncode == 0, result.stderr
    assert "Kitaev et al. 2020" in result.stdout or "F.normalize" in result.stdout
    compile(result.stdout, "tiny_reformer.py", "exec")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "positions=rotary",
            "`positions: rotary` has no effect: no attention layer here uses them",
        ),
        ("decoder.positions=alibi", "`positions: alibi` has no effect"),
        ("attention.heads=5", "d_model (64) must be a multiple of heads (5)"),
        ("mask=[causal, causal & window(3)]", "--set:1:6: a list of masks is for an attention"),
        (
            "attention.norm_placement=none",
            "`norm: rmsnorm` has no effect: no layer here uses it",
        ),
    ],
)
def test_options_that_the_variant_does_not_use_are_refused(
    copy: Path, change: str, message: str
) -> None:
    """The lowering of the variant says nothing of positions, heads that do not divide, or norms."""
    more = ["--set", "attention.norm=rmsnorm"] if "norm" in change else []
    result = command(copy, "build", "tiny_reformer.yaml", "-o", "-", "--set", change, *more)
    assert result.returncode == 2, result.stdout
    assert message in result.stderr
