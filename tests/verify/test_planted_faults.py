"""`verify` fails for every planted fault; `docs/verify.md` lists the laws that found it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from faults import (
    DOCUMENT_FAULTS,
    EXAMPLES,
    FAULTS,
    REFERENCE_FAULTS,
    DocumentFault,
    Fault,
    ReferenceFault,
    spec_of,
)

import modelwright as mw
from modelwright.backends.reference import ops as reference_ops
from modelwright.backends.verify import LAWS, Report, verify
from modelwright.backends.verify.levels import Document
from modelwright.backends.verify.shrink import shrink
from modelwright.compiler import ModuleGraph

ALL = (*FAULTS, *DOCUMENT_FAULTS, *REFERENCE_FAULTS)
TOOLS = {"data-dependent branch", "fixed sequence length"}
"""Faults that only `torch.compile` or `torch.export` shows."""

HEADING = "| fault | model | laws that fail |\n|---|---|---|\n"


def laws_for(fault: Fault) -> list[str]:
    """All laws; `compile` and `export` take seconds, and only some faults need them."""
    return [
        law.name for law in LAWS if law.name not in ("compile", "export") or fault.what in TOOLS
    ]


def judged(fault: Fault, laws: list[str]) -> Report:
    def emit(graph: ModuleGraph) -> str:
        text = mw.emit(graph)
        elsewhere = isinstance(fault, (ReferenceFault, DocumentFault))
        return text if elsewhere else fault.plant(text)

    document = None
    if isinstance(fault, DocumentFault):
        written = (EXAMPLES / f"{fault.model}.yaml").read_text(encoding="utf-8")
        document = Document(yaml.safe_load(fault.plant(written)))
    with planted(fault):
        return verify(
            spec_of(fault.model), laws=laws, emit=emit, dtype=fault.dtype, document=document
        )


@contextmanager
def planted(fault: Fault) -> Iterator[None]:
    """With a fault of the reference in its table of ops."""
    if not isinstance(fault, ReferenceFault):
        yield
        return
    package = reference_ops.__package__
    file = Path(reference_ops.__file__).with_name(f"{fault.file}.py")
    spec = importlib.util.spec_from_loader(f"{package}.planted", loader=None)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    module.__package__ = package
    sys.modules[module.__name__] = module  # dataclasses look there
    before = reference_ops.COMPUTE[fault.kind]
    exec(compile(fault.plant(file.read_text(encoding="utf-8")), str(file), "exec"), vars(module))
    reference_ops.COMPUTE[fault.kind] = getattr(module, before.__name__)
    try:
        yield
    finally:
        reference_ops.COMPUTE[fault.kind] = before
        del sys.modules[module.__name__]


def caught(root: Path) -> dict[str, list[str]]:
    """What the page says: fault -> the laws that fail."""
    page = (root / "docs" / "verify.md").read_text(encoding="utf-8")
    rows = page.partition(HEADING)[2].partition("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {what: laws.split(", ") for what, _, laws in cells}


@pytest.mark.sampled(32)
@pytest.mark.parametrize("fault", ALL, ids=lambda fault: fault.what.replace(" ", "-"))
def test_a_planted_fault_is_caught(fault: Fault, root: Path) -> None:
    """By the first law that the page names for it."""
    laws = caught(root)[fault.what][:1]
    report = judged(fault, laws)
    assert [finding.law for finding in report.failures] == laws
    assert fault.what in TOOLS or report.failures[0].error is not None, "it raised: no fault"


@pytest.mark.sampled(2)
@pytest.mark.parametrize("model", sorted({fault.model for fault in FAULTS}))
def test_the_text_that_a_fault_changes_is_in_the_file(model: str) -> None:
    text = mw.emit(shrink(spec_of(model)))
    for fault in FAULTS:
        if fault.model == model:
            assert fault.plant(text) != text


@pytest.mark.parametrize("fault", REFERENCE_FAULTS, ids=lambda fault: fault.what.replace(" ", "-"))
def test_the_text_that_a_fault_changes_is_in_the_reference(fault: ReferenceFault) -> None:
    text = Path(reference_ops.__file__).with_name(f"{fault.file}.py").read_text(encoding="utf-8")
    assert fault.plant(text) != text


@pytest.mark.parametrize("model", sorted({fault.model for fault in ALL}))
@pytest.mark.slow
def test_without_a_fault_all_laws_hold(model: str) -> None:
    report = verify(spec_of(model), laws=[law.name for law in LAWS if law.name != "compile"])
    assert not report.failures, report.render()


@pytest.mark.slow
def test_the_page_names_every_law_that_catches(
    root: Path, golden: Callable[[Path, str], None]
) -> None:
    rows = []
    for fault in ALL:
        failures = [finding.law for finding in judged(fault, laws_for(fault)).failures]
        assert failures, f"{fault.what} was not caught"
        rows.append(f"| {fault.what} | {fault.model} | {', '.join(failures)} |")
    page = root / "docs" / "verify.md"
    start, heading, rest = page.read_text(encoding="utf-8").partition(HEADING)
    after = rest.partition("\n\n")[1:]
    golden(page, "".join([start, heading, "\n".join(rows), *after]))


def test_the_page_knows_every_fault_and_law(root: Path) -> None:
    assert list(caught(root)) == [fault.what for fault in ALL]
    assert len(ALL) >= 25
    found = {law for laws in caught(root).values() for law in laws}
    assert found == {law.name for law in LAWS}
