"""Mutants change what they describe, are planted where they should be, and are found."""

from __future__ import annotations

import ast
import random
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from . import coverage, folders, report
from .areas import AREAS, BY_NAME, ROOT, Area
from .coverage import Timed
from .known import Written, known, read
from .laws import chosen, compiled_right
from .mutants import TEMPLATES, Mutant, Reader, of_area, of_file
from .operators import AXIS, BY_ONE, CONSTANT, DROPPED, FLIPPED, KINDS, SKIPPED, SWAPPED
from .run import copied, results, sampled, shuffled
from .tried import SURVIVED, Outcome, affordable, tried

FAULTS = [
    ("x = a - b", SWAPPED, "(b - a)"),
    ("x = f(y, a, b)", SWAPPED, "f(y, b, a)"),
    ("x = a + b", DROPPED, "a"),
    ("x = f(a, scale=2)", DROPPED, "f(a)"),
    ("x = y.tanh() * 2", DROPPED, "y"),
    ("x = a < b", BY_ONE, "(a <= b)"),
    ("x = a[: n]", BY_ONE, ": (n + 1)"),
    ("for i in n: f(i)", BY_ONE, "list(n)[1:]"),
    ("x = 3", BY_ONE, "2"),
    ("x = 1.5", CONSTANT, "3.0"),
    ("x = a and b", FLIPPED, "(a or b)"),
    ("x = a is None", FLIPPED, "(a is not None)"),
    ("if a: f()", FLIPPED, "(not a)"),
    ("if a: f()", SKIPPED, "False"),
    ("x = a if b else c", SKIPPED, "c"),
    ("x = [a for a in b if a]", SKIPPED, "True"),
    ("f(x)", SKIPPED, "pass"),
    ("x = y.transpose(1, 2)", AXIS, "3"),
    ("x = y.sum(dim=-1)", AXIS, "(-2)"),
]
"""A line, a kind of fault, and what one of that kind puts in place of a part."""


def mutants_of(text: str) -> list[Mutant]:
    return list(Reader("file.py", text).mutants())


@pytest.mark.parametrize(("line", "kind", "after"), FAULTS)
def test_a_fault(line: str, kind: str, after: str) -> None:
    assert (kind, after) in {(one.kind, one.after) for one in mutants_of(line)}


def test_every_kind_has_a_line() -> None:
    assert {kind for _, kind, _ in FAULTS} == set(KINDS)


@pytest.mark.parametrize(
    "text",
    ["def f(x: int = ...) -> Tensor | None: ...", "raise E(a + b)", "x = f'{a + 1}'", "x = 'a b'"],
)
def test_valid_code_has_no_fault(text: str) -> None:
    assert not mutants_of(text)


def test_what_is_replaced_is_where_it_stands() -> None:
    """Columns are bytes, and lines may have been counted otherwise before."""
    text = 'note = "é"\nx = (\n    a  # é\n    - b\n)\n'
    for one in mutants_of(text):
        assert text.encode()[one.start : one.stop].decode() == one.before


@pytest.mark.sampled(3)
@pytest.mark.parametrize("area", AREAS, ids=lambda area: area.name)
def test_every_fault_is_python(area: Area) -> None:
    mutants = of_area(area.name)
    assert len({one.identity for one in mutants}) == len(mutants)
    for one in random.Random(0).sample(mutants, 15):
        assert ast.dump(ast.parse(one.source())) != ast.dump(
            ast.parse((ROOT / one.path).read_text())
        )


def test_lines_in_strings_have_faults_too() -> None:
    rows = [one for one in of_file("backends/pytorch/ops/layers.py") if one.after[:1] in "'\""]
    assert "'x.transpose(1, 3)'" in {one.after for one in rows}
    assert all(one.path.startswith(TEMPLATES) for one in rows)


def test_areas_share_no_file() -> None:
    files = Counter(path for area in AREAS for path in area.paths)
    assert set(files.values()) == {1}


def test_a_larger_sample_begins_with_a_smaller_one() -> None:
    area = BY_NAME["ops"]
    few, many = sampled([area], 10, seed=3), sampled([area], 50, seed=3)
    assert many[:10] == few != sampled([area], 10, seed=4)
    lines = [(one.path, one.line) for one in shuffled(of_area("ops"), 0)]
    assert len(set(lines[:100])) == 100, "a line comes twice before every line came once"


def test_each_area_has_its_share() -> None:
    shares = Counter(one.area for one in sampled(AREAS, 300, seed=0))
    assert set(shares.values()) == {300 // len(AREAS)}


# -- planting and judging

TEXT = """
name: small
family: decoder-only
vocab_size: 20
d_model: 8
layers: 2
attention: {heads: 2, softcap: 3}
head: language_model
"""


def softcapped() -> Mutant:
    """`cap * tanh(x / cap)` without its first factor, in the function that scores go through."""
    mutants = of_file("backends/pytorch/runtime/functions.py")
    return next(
        one
        for one in mutants
        if one.scope == "capped_scores" and one.kind == DROPPED and one.after.startswith("torch.")
    )


def test_a_fault_is_found_and_its_absence_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    one = known(Written("small", TEXT), lawful=False)
    assert one is not None
    assert len(one.cases) > 3
    for name in list(sys.modules):  # as if nothing had imported the compiler
        if name.partition(".")[0] == "modelwright" or name == "oracle.judging":
            monkeypatch.delitem(sys.modules, name)

    def laws(mutant: Mutant) -> int:
        compiled_right(one, read(one))
        return 1

    fault = softcapped()
    found = tried(fault, laws, lambda mutant: [])
    assert found.by in ("laws", "raised"), found  # its file may not even run
    unchanged = tried(replace(fault, after=fault.before), laws, lambda mutant: [])
    assert (unchanged.by, unchanged.specs) == (SURVIVED, 1), unchanged


def test_a_fault_that_ends_its_process_is_found() -> None:
    mutant = of_file("compiler/ops/sums.py")[0]

    def ending(_: Mutant) -> int:
        import os

        os._exit(9)

    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, mutant.module, raising=False)
        assert tried(mutant, ending, lambda mutant: []).by == "endless"


def test_a_module_that_is_imported_has_no_fault() -> None:
    import modelwright.compiler.ops.sums  # noqa: F401

    found = tried(of_file("compiler/ops/sums.py")[0], lambda mutant: 0, lambda mutant: [])
    assert found.by == "raised"
    assert "imported before its fault" in found.why


def test_specs_that_test_a_mutant() -> None:
    class One:
        def __init__(self, *lines: int, words: tuple[str, ...] = ()) -> None:
            self.lines = {("compiler/ops/sums.py", line) for line in lines}
            self.words = set(words)

    mutant = replace(of_file("compiler/ops/sums.py")[0], line=20, scope="ROWS", key="by_last")
    runs, row, other = One(20), One(5, words=("by_last",)), One(7)
    assert chosen(mutant, [other, row, runs]) == [runs]
    assert chosen(mutant, [other, row]) == [row]
    assert chosen(mutant, [other]) == [other]


def test_tests_that_are_tried_take_little() -> None:
    mutant = of_file("compiler/ops/sums.py")[0]
    tests = [Timed(f"t{i}", 0.1) for i in range(100)] + [Timed("slow", 50)]
    found = affordable(mutant, tests)
    assert sum(test.seconds for test in found) <= 3
    assert affordable(mutant, tests) == found


def test_functions_of_the_runtime_are_traced_in_built_files() -> None:
    assert copied(softcapped()) == "built:capped_scores"
    assert copied(of_file("compiler/ops/sums.py")[0]) == ""


def test_the_tests_are_found() -> None:
    assert ROOT / "tests" / "spec" / "test_levels.py" in coverage.test_files()


def test_tables_of_a_family() -> None:
    words = folders.needed("llama.py")
    assert "backends/huggingface/families/_llama_like.py:SPEC" in words
    assert "backends/huggingface/families/_rows.py:head_dim" in words
    assert not any("bert" in word for word in words)


# -- results


def test_results_are_read_again(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    first, second = Outcome("a", SURVIVED, "", 1.0), Outcome("a", "laws", "oracle", 2.0)
    path.write_text(first.line() + "\n" + second.line() + "\n")
    assert results(path) == {"a": second}
    assert results(tmp_path / "none.jsonl") == {}


def test_a_score() -> None:
    known = report.equivalents()
    mutants = [m for m in of_area("ops") if not any(each.is_of(m) for each in known)][:4]
    ways = ("laws", "raised", "tests", SURVIVED)
    done = {
        one.identity: Outcome(one.identity, way, "", 1.0)
        for one, way in zip(mutants, ways, strict=True)
    }
    (score,) = report.scores(mutants, done)
    assert (score.tried, score.share, score.holds) == (4, 0.75, False)
    assert score.computing == pytest.approx(2 / 3)
    text = report.rendered([score])
    assert "75.0%" in text
    assert str(mutants[3]) in text


def declared() -> list[Any]:
    return list(report.equivalents())


@pytest.mark.parametrize("one", declared(), ids=lambda one: f"{one.file}:{one.scope}")
def test_an_equivalent_is_a_mutant_with_a_proof(one: report.Equivalent) -> None:
    assert [mutant for mutant in of_file(one.file) if one.is_of(mutant)], "it is no mutant any more"
    assert len(one.proof) > 20
    assert "\n" not in one.proof.strip()
