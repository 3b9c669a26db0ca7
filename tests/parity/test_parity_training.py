"""Imported models equal the library's in training, where dropout multiplies by 1 + rate.

This compares where dropout is applied, and the key of `config.json` that each rate is read from.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny
from judge.calling import distance, ours, theirs
from judge.training import dropping, factors

import modelwright as mw
from modelwright.backends.huggingface.imported import read_model
from modelwright.backends.huggingface.training import PLACES

SAMPLE = ("gpt2/causal_lm", "bert/masked_lm", "llama/causal_lm", "bart/seq2seq_lm", "vit/base")
SAMPLE += ("dbrx/causal_lm", "dinov2/base", "esm/masked_lm", "phi3/causal_lm")


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", SAMPLE)
def test_dropout_of_an_imported_model(name: str, tmp_path: Path) -> None:
    case = dropping(next(case for case in tiny.all_cases() if str(case) == name))
    library = tiny.saved(case, tmp_path)
    data = tiny.questions(library, case)
    plain = theirs(library, data, case.head)
    with factors():
        right = theirs(library.train(), data, case.head)
        found = ours(mw.from_pretrained(tmp_path).float().train(), data, case.head, right)
    assert distance(plain, right) > 1e-2
    assert distance(found, right) < 2e-5


@pytest.mark.slow
@pytest.mark.parametrize("model_type", PLACES)
def test_another_dropout_is_said(model_type: str, tmp_path: Path) -> None:
    """The comment of the YAML says that dropout differs, and it does."""
    cases = [case for case in tiny.all_cases() if case.model_type == model_type]
    case = dropping(cases[-1])  # with an encoder, if the type has one
    library = tiny.saved(case, tmp_path)
    data = tiny.questions(library, case)
    with factors():
        right = theirs(library.train(), data, case.head)
        found = ours(mw.from_pretrained(tmp_path).float().train(), data, case.head, right)
    assert distance(found, right) > 2e-5
    said = f"In training, the library {PLACES[model_type]}"
    text = read_model(tmp_path).text.replace("\n#", "")  # lines may end in a hyphen
    assert "".join(said.split()) in "".join(text.split())
