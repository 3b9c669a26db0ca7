"""Every example passes every law that applies to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import modelwright as mw
from modelwright.backends.pytorch import BuildOptions, emit_file
from modelwright.backends.pytorch.static import why_not_static
from modelwright.backends.verify import LAWS, Report, verify

FOLDER = Path(__file__).resolve().parents[2] / "examples"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
TOOLS = ("compile", "export")
"""Laws that take seconds for each model."""


def tried(name: str, *laws: str) -> Report:
    report = verify(FOLDER / f"{name}.yaml", laws=laws or None)
    assert not report.failures, report.render()
    return report


QUICK = (
    "bigbird_base",
    "deberta_v3_base",
    "t5_small",
    "tiny_deepseek",
)


def but_slow(names: list[str]) -> list[Any]:
    return [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in names]


@pytest.mark.parametrize("name", but_slow(NAMES))
def test_example(name: str) -> None:
    tried(name, *(law.name for law in LAWS if law.name not in TOOLS))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_what_torch_makes_of_an_example(name: str) -> None:
    tried(name, *TOOLS)


def test_from_python(examples: Path) -> None:
    report = mw.verify(examples / "tiny_gpt.yaml", sets=["layers=3"], laws=["weights", "init"])
    assert report.holds
    assert report.finding("init").error == 0
    assert report.render().startswith("tiny-gpt: layers 3 as 2, ")


@pytest.mark.slow
@pytest.mark.parametrize("option", ["join_projections", "static_cache"])
@pytest.mark.parametrize("name", NAMES)
def test_examples_obey_every_law_as_build_may_write_them(name: str, option: str) -> None:
    options = BuildOptions(**{option: True})
    spec = mw.load(FOLDER / f"{name}.yaml")
    if option == "static_cache" and why_not_static(mw.lower(spec)):
        pytest.skip("nothing keeps a cache of keys here")
    report = verify(spec, emit=lambda graph: emit_file(graph, options).text)
    assert not report.failures, report.render()


@pytest.mark.parametrize("option", ["join_projections", "static_cache"])
def test_bytes_of_a_file_with_build_options_are_about_those_reported(option: str) -> None:
    """With a window, and with joined gates, such a file keeps a little more for training."""
    options = BuildOptions(**{option: True})
    spec = mw.load(FOLDER / "mistral_7b.yaml")
    report = verify(spec, laws=["costs"], emit=lambda graph: emit_file(graph, options).text)
    assert not report.failures, report.render()
    assert "the report counts the file without build options" in report.render()
