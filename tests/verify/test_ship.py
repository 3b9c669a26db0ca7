"""Tests of a built file: they pass without modelwright, and fail on its faults."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner
from faults import Fault, spec_of
from test_verify_examples import FOLDER, NAMES

import modelwright as mw
from modelwright.backends.pytorch.file import module_name
from modelwright.backends.verify import ship
from modelwright.cli import cli

TOOLS = ("test_torch_compile", "test_torch_export")
"""They take seconds."""


class Beside:
    """A built file and its tests, imported from a folder."""

    def __init__(self, folder: Path, model: str) -> None:
        self.folder, self.spec = folder, spec_of(model)
        self.name = module_name(self.spec.name)
        self.built = folder / f"{self.name}.py"
        self.text = mw.emit(mw.lower(self.spec))
        self.tests = folder / f"test_{self.name}.py"
        self.tests.write_text(ship(self.spec), encoding="utf-8")

    def failing(self, text: str) -> list[str]:
        """The tests that fail where the built file has this text."""
        self.built.write_text(text, encoding="utf-8")
        built = ModuleType(self.name)
        sys.modules[self.name] = built  # dataclasses look there
        exec(compile(text, str(self.built), "exec"), vars(built))
        tests: dict[str, Any] = {"__name__": "beside"}
        exec(compile(self.tests.read_text(encoding="utf-8"), str(self.tests), "exec"), tests)
        found = []
        for name in [n for n in tests if n.startswith("test_") and n not in TOOLS]:
            try:
                tests[name]()
            except AssertionError:
                found.append(name.removeprefix("test_"))
        return found


@pytest.fixture
def beside(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Beside]:
    made = Beside(tmp_path, request.param)
    yield made
    sys.modules.pop(made.name, None)


PLANTED = {
    "window one token too wide": (
        "mistral_7b",
        "k > q - window",
        "k >= q - window",
        ["numbers", "cached_steps_equal_a_full_pass"],
    ),
    "attention to the next token": (
        "bloom_560m",
        "like.device) <= q  #",
        "like.device) <= q + 1  #",
        ["numbers", "causal_masks", "cached_steps_equal_a_full_pass"],
    ),
    "cached chunk without a causal mask": (
        "llama3_8b",
        "if attention_mask is None and (start == 0 or end - start == 1):",
        "if attention_mask is None:",
        ["cached_steps_equal_a_full_pass"],
    ),
    "cross-attention to padding": (
        "t5_small",
        "self.cross_attention(h, mask, cache=cache, memory=memory)",
        "self.cross_attention(h, None, cache=cache, memory=memory)",
        ["numbers", "padding_does_not_change_outputs"],
    ),
    "values without a gradient": (
        "gpt2",
        "v = self.value(x)",
        "v = self.value(x).detach()",
        ["every_weight_gets_a_gradient", "gradients_equal_finite_differences"],
    ),
    "weights not initialised": (
        "t5_small",
        "else:\n                nn.init.normal_(weight",
        'elif "embedding" not in name:\n                nn.init.normal_(weight',
        ["init_weights_sets_every_weight"],
    ),
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("beside", "what"),
    [(model, what) for what, (model, *_) in PLANTED.items()],
    indirect=["beside"],
    ids=[what.replace(" ", "-") for what in PLANTED],
)
def test_they_pass_and_fail_on_a_fault(beside: Beside, what: str) -> None:
    model, old, new, expected = PLANTED[what]
    assert beside.failing(beside.text) == []
    assert beside.failing(Fault(what, model, old, new).plant(beside.text)) == expected


def alone(name: str, folder: Path) -> None:
    """The tests of an example, run where modelwright cannot be imported."""
    made = Beside(folder, name)
    made.built.write_text(made.text, encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    (folder / "modelwright.py").write_text("raise ImportError('not here')\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, made.tests.name],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-300:] + done.stderr[-2000:]
    assert done.stdout.count(": ok") == len(re.findall(r"^def test_", made.tests.read_text(), re.M))
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--select=E,F,W,B"]
    ruff += ["--line-length=100", "."]
    linted = subprocess.run(ruff, cwd=folder, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_of_an_example_without_modelwright(name: str, tmp_path: Path) -> None:
    alone(name, tmp_path)


def test_numbers_are_those_of_the_reference() -> None:
    for name in ("gpt2", "gemma3_1b", "longformer_base", "t5_small"):
        assert "NumPy" in ship(spec_of(name)), name


def test_numbers_that_are_the_files_own_are_called_so() -> None:
    """BigBird's blocks of 64 global tokens are no field of its Config."""
    text = ship(spec_of("bigbird_base"))
    assert "NumPy" not in text
    assert "computed by this file" in text


def test_the_command_writes_them(tmp_path: Path) -> None:
    words = ["verify", str(FOLDER / "tiny_gpt.yaml"), "--law", "weights"]
    target = tmp_path / "test_tiny_gpt.py"
    result = CliRunner().invoke(cli, [*words, "--emit-tests", str(target)])
    assert result.exit_code == 0, result.output
    assert result.stderr == f"wrote {target}\n"
    assert "import tiny_gpt as built" in target.read_text(encoding="utf-8")
    target.write_text("# mine\n")
    again = CliRunner().invoke(cli, [*words, "--emit-tests", str(target)])
    assert again.exit_code == 2
    assert again.stdout == "", "the path is checked before the model is tested"
    assert target.read_text() == "# mine\n"
