"""Every family that the importer knows has a tiny model that is equal; the page names all types."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

import pytest
import transformers
from judge import fields, fields_page
from judge import judge as judging
from judge.page import PAGE, page, read_page
from judge.verdict import Verdict, bound
from judge.workers import judge_all
from tiny import Case, all_cases
from tiny.cases import TEXT_HEADS, text_cases
from transformers.models.auto import modeling_auto

from modelwright.backends.checkpoint_errors import CheckpointError
from modelwright.backends.huggingface import FAMILIES
from modelwright.backends.huggingface.bidirectional import CAUSAL_ONLY

CASES = all_cases()
ONE = Case("bert", "masked_lm")


INSIDE = {
    "emu3_text_model": "it is a part of emu3, with no entry of its own",
    "mllama_text_model": "it is a part of mllama, with no entry of its own",
}
"""Types that the library's tables do not have."""


@pytest.mark.sampled(6)
@pytest.mark.parametrize("model_type", sorted(FAMILIES))
def test_family(model_type: str) -> None:
    """The first head of the type that the importer takes: `tests.parity.coverage` runs all."""
    if model_type in INSIDE:
        pytest.skip(f"{INSIDE[model_type]}, and is compared in tests/huggingface")
    if model_type not in transformers.CONFIG_MAPPING:
        pytest.skip(f"transformers {transformers.__version__} has no {model_type}")
    cases = [case for case in CASES if case.model_type == model_type]
    cases.sort(key=lambda case: bool(case.variant))
    assert cases, f"{model_type}: tests/parity/tiny has no model of this type"
    for case in cases:
        verdict = judging.judge(case, more=False)
        if verdict.word != "not yet":
            assert verdict.word == "equal", f"{case}: {verdict.word}: {verdict.why}"
            return
    pytest.fail(f"{model_type} is in FAMILIES, and no head of it is imported")


UNTIED = (
    "albert/masked_lm/untied",
    "bart/seq2seq_lm/untied",
    "llama/causal_lm/tied",
    "roberta/masked_lm/untied",
)


ALONE = ("blenderbot-small/causal_lm", "marian/causal_lm", "whisper/causal_lm")
COUNTED = ("roberta/causal_lm",)


GROUPED = ("albert/masked_lm/groups",)


@pytest.mark.parametrize("name", [*UNTIED, *ALONE, *COUNTED, *GROUPED])
def test_heads_that_are_built_otherwise(name: str) -> None:
    """Tables tied and not; decoders alone; positions that a decoder counts; groups of layers."""
    case = next(case for case in CASES if str(case) == name)
    verdict = judging.judge(case, more=False)
    assert verdict.word == "equal", verdict.why


DECODERS = [
    case
    for case in CASES
    if case.head == "causal_lm"
    and not case.variant
    and case.model_type in FAMILIES.keys() - CAUSAL_ONLY.keys() - {"llama4", "llama4_text"}
    and FAMILIES[case.model_type].spec["family"] != "encoder-only"
]


@pytest.mark.slow
@pytest.mark.parametrize("case", DECODERS, ids=str)
def test_decoders_that_attend_in_both_directions(case: Case) -> None:
    inside = FAMILIES[case.model_type].inside
    over = {"is_causal": False}
    if inside:
        over = {inside: {**case.over.get(inside, {}), **over}}
    verdict = judging.judge(Case(case.model_type, case.head, "both", {**case.over, **over}))
    assert verdict.word == "equal", verdict.why
    assert verdict.padded in ("yes", "not invariant in HF")


@pytest.mark.parametrize(
    ("case", "over", "word", "why"),
    [
        ("gpt_neo/causal_lm", {"is_causal": False}, "not yet", "has no effect in the library"),
        ("marian/causal_lm", {"vocab_size": 101}, "not yet", "sizes of the embedding and o"),
        ("llama/causal_lm", {"unheard_of": 3}, "not yet", "`unheard_of` is not a known option"),
    ],
)
def test_refusals_are_told_from_failures(
    case: str, over: dict[str, Any], word: str, why: str
) -> None:
    base = next(each for each in CASES if str(each) == case)
    verdict = judging.judge(Case(base.model_type, base.head, "odd", {**base.over, **over}))
    assert (verdict.word, why in verdict.why) == (word, True), verdict


def test_errors_of_rows_and_of_weights_are_failures() -> None:
    """The reason of a refusal is in config.json, and no exception of a row."""
    for place, cause, word in (
        ("m/config.json", None, "not yet"),
        ("m/config.json", KeyError("row"), "fails"),
        ("m/model.safetensors", None, "fails"),
    ):
        refusal = CheckpointError(place, ["a reason"])
        refusal.__cause__ = cause
        assert judging._refused(ONE, refusal) == Verdict(word, "a reason")


def test_the_cases_are_complete() -> None:
    tables = [getattr(modeling_auto, table) for table in TEXT_HEADS.values()]
    assert len(text_cases()) == sum(map(len, tables)) > 200
    assert len({str(case) for case in CASES}) == len(CASES)


VERSION = re.findall(r"with transformers (\S+)\.\n", PAGE.read_text(encoding="utf-8"))[0]
SAME_LIBRARY = pytest.mark.skipif(
    transformers.__version__ != VERSION, reason=f"the pages are of transformers {VERSION}"
)


@SAME_LIBRARY
def test_the_page_names_every_case() -> None:
    """`python -m tests.parity.coverage --failed --write` adds what is new."""
    assert set(read_page()) == set(CASES)


@SAME_LIBRARY
def test_the_page_is_as_it_was_written() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(read_page())


def test_models_that_read_more_than_text_are_marked() -> None:
    notes = {kind: str(family.note) for kind, family in FAMILIES.items()}
    equal = [case for case, verdict in read_page().items() if verdict.word == "equal"]
    marked = {case for case in equal if judging.ALONE in read_page()[case].why}
    assert marked == {
        case for case in equal if notes.get(case.model_type, "").startswith("Text only")
    }
    assert len(marked) > 20


def test_the_page_is_of_the_pinned_library(root: Path) -> None:
    assert f"\ntransformers=={VERSION}\n" in (root / "constraints.txt").read_text()


@SAME_LIBRARY
def test_no_field_of_a_config_is_overlooked() -> None:
    """`python -m tests.parity.coverage --fields TYPE --write` tries one type again."""
    counts, reasons, versions = fields_page.read()
    assert not [kind for kind, (_, differs, _, _) in counts.items() if differs]
    written = fields_page.PAGE.read_text(encoding="utf-8")
    assert written == fields_page.page(counts, reasons, versions)
    assert set(counts) <= {(case.model_type, case.head) for case in CASES}
    assert len(counts) > 200


def test_a_change_has_a_name_of_its_own() -> None:
    names = [case.variant for case in fields.changed_cases(Case("gemma3_text", "causal_lm"))]
    assert "hidden_size=32" in names
    assert "rope_parameters.full_attention.rope_theta=500.0" in names
    assert len(set(names)) == len(names)


def _ends(case: Case) -> Verdict:
    os._exit(3)


def _hangs(case: Case) -> Verdict:
    time.sleep(600)
    raise AssertionError


@pytest.mark.parametrize(
    "answer, limit, said",
    [(_ends, 600, "the process ended with code 3"), (_hangs, 1, "no answer within 1 s")],
)
def test_a_crashing_case_does_not_stop_the_others(
    answer: object, limit: float, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "judge", answer)
    found = dict(judge_all([ONE, Case("gpt2", "causal_lm")], 2, limit=limit))
    assert len(found) == 2
    assert {verdict.word for verdict in found.values()} == {"fails"}
    assert all(said in verdict.why for verdict in found.values())


@pytest.mark.parametrize(
    "error, said",
    [(0.0, "≤ 1e-6"), (1.1e-6, "≤ 2e-6"), (2e-5, "≤ 2e-5"), (0.00321, "3e-03"), (0.26, "0.3")],
)
def test_error_texts_are_deterministic(error: float, said: str) -> None:
    assert bound(error) == said
