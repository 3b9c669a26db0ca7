"""The Python functions: their arguments, and YAML that loads to the same spec."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelwright as mw
from modelwright.backends.pytorch import BuildOptions
from modelwright.backends.pytorch.options import BuildKeywords
from modelwright.backends.pytorch.static import BuildError
from modelwright.compiler import lower as lower_spec
from modelwright.spec import ModelSpec, SpecErrors, Stack
from modelwright.spec.attention import Mha
from modelwright.spec.model import Block

EXAMPLES = sorted((Path(__file__).resolve().parent.parent / "examples").glob("*.yaml"))
GPT = next(path for path in EXAMPLES if path.stem == "tiny_gpt")
SPARSE = """
name: long
family: decoder-only
vocab_size: 9
d_model: 8
layers: 1
attention: {heads: 2}
mask: causal & window(64)
positions: rotary
"""
SPECS = sorted((Path(__file__).parent / "spec" / "specs").glob("*.yaml"))


@pytest.mark.sampled(6)
@pytest.mark.parametrize("path", EXAMPLES + SPECS, ids=lambda path: path.stem)
def test_yaml_of_a_spec_loads_back_to_an_equal_one(path: Path) -> None:
    spec = mw.load(path, check_support=False)
    text = mw.to_yaml(spec)
    again = mw.loads(text, check_support=False)
    assert again == spec
    assert again.sha == spec.sha
    assert again.family == spec.family
    assert mw.to_yaml(again) == text
    assert "#" not in text


def test_yaml_of_a_spec_from_python() -> None:
    block = Block(attention=Mha(heads=2), mask="causal")
    stack = Stack(layers=3, d_model=8, vocab_size=9, blocks={"a": block}, order=("a", "a", "a"))
    spec = ModelSpec(name="x", description='two\nlines: # "quoted"', stacks={"s": stack})
    assert mw.loads(mw.to_yaml(spec)) == spec


def test_functions_take_a_path_a_spec_or_a_graph() -> None:
    spec = mw.load(GPT)
    sources = [GPT, str(GPT), spec, mw.lower(spec)]
    rendered = lambda source: mw.report(source).render()  # noqa: E731
    for function in (mw.show, mw.to_yaml, mw.emit, mw.draw, mw.draw_masks, rendered):
        results = [function(source) for source in sources]
        assert all(result == results[0] for result in results)
    assert all(mw.difference(source, GPT).to_json()["equal"] for source in sources)
    assert mw.draw_difference(mw.difference(GPT, spec)).startswith(b"<svg")
    graph = sources[-1]
    assert mw.lower(graph) is graph
    assert all(mw.verify(s, laws=["weights"]).holds for s in (GPT, spec, graph))
    with pytest.raises(TypeError, match="give its spec instead"):
        mw.verify(lower_spec(spec))


def test_functions_report_errors_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("name: x\n")
    for function in (
        mw.lower, mw.emit, mw.show, mw.to_yaml, mw.draw, mw.draw_masks, mw.report, mw.verify
    ):  # fmt: skip
        with pytest.raises(SpecErrors, match="family"):
            function(tmp_path / "x.yaml")
        with pytest.raises(SpecErrors, match=r"none.yaml: cannot be read: No such file"):
            function(tmp_path / "none.yaml")


def test_one_change_may_be_a_string() -> None:
    assert mw.load(GPT, sets="layers=1") == mw.load(GPT, sets=["layers=1"])
    assert mw.loads(GPT.read_bytes(), sets="layers=1").stacks["decoder"].layers == 1


def test_data_of_numpy_and_data_that_contains_itself() -> None:
    data: dict[str, Any] = {
        "name": "x",
        "family": "decoder-only",
        "vocab_size": 9,
        "layers": 2,
        "d_model": 8,
        "dropout": 0.5,
        "attention": {"heads": 2},
    }
    numbers = {"layers": np.int64(2), "dropout": np.float32(0.5), "d_model": np.float64(8)}
    assert mw.from_data(data | numbers) == mw.from_data(data)
    with pytest.raises(SpecErrors, match="`dropout` must be a number from 0 to less than 1"):
        mw.from_data(data | {"dropout": 1j})
    data["attention"]["heads"] = data
    with pytest.raises(SpecErrors, match="nested at most 32 levels deep"):
        mw.from_data(data)


def test_a_text_extends_files_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(GPT.read_text(encoding="utf-8"))
    text = "name: y\nextends: base.yaml\nlayers: 1\n"
    assert mw.loads(text, folder=tmp_path).stacks["decoder"].layers == 1
    stack = "name: y\nstacks: {s: {extends: 'base.yaml#decoder', layers: 1}}\n"
    assert mw.loads(stack, folder=str(tmp_path)).stacks["s"].layers == 1
    for wrong in ("../base.yaml", "none.yaml"):
        with pytest.raises(SpecErrors) as caught:
            mw.loads(f"name: y\nextends: {wrong}\n", folder=tmp_path)
        assert len(caught.value.problems) == 1
    with pytest.raises(SpecErrors, match="folder=…"):
        mw.loads(text)


def test_bytes_are_read_as_utf8() -> None:
    spec = mw.loads(b"\xef\xbb\xbf" + GPT.read_bytes())
    assert spec == mw.load(GPT)
    with pytest.raises(SpecErrors, match="not UTF-8"):
        mw.loads(b"name: \xff")


def test_reports_are_tables_in_a_notebook() -> None:
    report = mw.report(GPT)
    page = ET.fromstring(f"<div>{report._repr_html_()}</div>")
    cells = [cell.text for cell in page.iter("td")]
    assert f"{report.weights_total:,}" in cells
    assert len(page.findall("table")) == 2
    verified = mw.verify(GPT, laws=["weights"])
    page = ET.fromstring(f"<div>{verified._repr_html_()}</div>")
    assert [cell.text for cell in page.iter("td")][:2] == ["weights", "holds"]
    assert page.find("p") is not None


def test_every_public_name_is_there() -> None:
    assert [name for name in mw.__all__ if getattr(mw, name, None) is None] == []
    assert set(dir(mw)) == set(mw.__all__)


def test_options_of_the_file_are_those_of_build() -> None:
    known = {field.name for field in fields(BuildOptions)} - {"loader"}
    assert set(BuildKeywords.__annotations__) == known
    spec = mw.loads(SPARSE, "long.yaml")
    tiles, dense = (mw.emit(spec, kernel=kernel) for kernel in ("tiles", "dense"))
    assert "--kernel tiles" in tiles
    assert "--kernel dense" in dense
    model = mw.compile(spec, kernel="tiles")
    assert "tiles" in model.forward.__func__.__globals__["__doc__"]
    with pytest.raises(TypeError, match="unknown option `kernels`; expected one of: gradient_"):
        mw.compile(spec, kernels="tiles")  # type: ignore[call-arg]
    with pytest.raises(
        BuildError, match="kernel must be one of auto, dense, tiles, flex, not tile"
    ):
        mw.emit(spec, kernel="tile")  # type: ignore[arg-type]
