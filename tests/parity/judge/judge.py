"""One case: save a tiny model, import it, run both, and compare."""

from __future__ import annotations

import copy
import linecache
import sys
import tempfile
from pathlib import Path
from typing import Any

import tiny
import torch
from perturb import TOLERANCE
from tiny import Case
from torch import nn

import modelwright as mw
from modelwright.backends.huggingface import FAMILIES, CheckpointError, import_folder
from modelwright.backends.huggingface.folder import CONFIG
from modelwright.backends.huggingface.unsupported import REASONS
from modelwright.compiler import lower

from .calling import distance, ours, theirs
from .generation import greedy, padded
from .reasons import NO_TRANSFORMERS, PARTLY
from .verdict import ALONE, SHORT, Verdict, Word, bound, one_line


def judge(case: Case, *, more: bool = True) -> Verdict:
    """What becomes of a case; `more` tries generation and padding with a model that is equal."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / f"tiny-{case.model_type}"
        try:
            reference = tiny.saved(case, folder)
            data = tiny.questions(reference, case)
            expected = theirs(reference, data, case.head)
        except Exception as error:
            return _unbuilt(case, error)
        if not torch.isfinite(expected).all():
            return Verdict("cannot be built", "its results are not finite")
        try:
            model = mw.from_pretrained(folder, dtype=torch.float32)
        except CheckpointError as refusal:
            return _refused(case, refusal)
        except Exception as error:
            return Verdict("fails", _said("import", error))
        try:
            error = distance(ours(model, data, case.head, expected), expected)
        except ValueError as mistake:
            return Verdict("differs", one_line(mistake))
        except Exception as mistake:
            return Verdict("fails", _said("run", mistake))
        text = import_folder(folder)
    lines = str(sum(line[:1] not in ("#", "") for line in text.splitlines()))
    why = bound(error) + (ALONE if _reads_text_alone(case) else "")
    why += SHORT if getattr(reference.config, "index_topk", None) else ""
    verdict = Verdict("equal" if error <= TOLERANCE else "differs", why, lines)
    if verdict.word == "differs" or not more:
        return verdict
    return verdict.with_(
        again=_tried(_builds_again, model, text),
        # Copies: the library's "dynamic" frequencies remember the longest text they have seen.
        greedy=_tried(greedy, model, lower(mw.loads(text)), copy.deepcopy(reference), data),
        padded=_tried(padded, model, copy.deepcopy(reference), data, case.head),
    )


def _unbuilt(case: Case, error: Exception) -> Verdict:
    if case.model_type in NO_TRANSFORMERS:
        return Verdict("not a transformer", NO_TRANSFORMERS[case.model_type])
    # What validates a config wraps what is wrong with it.
    cause = error.__cause__ or error
    return Verdict("cannot be built", one_line(f"{type(cause).__name__}: {cause}"))


def _refused(case: Case, refusal: CheckpointError) -> Verdict:
    problems = [problem.partition("; supported: ")[0] for problem in refusal.problems]
    unknown = any(problem.startswith("model_type ") for problem in problems)
    if unknown and case.model_type in NO_TRANSFORMERS:
        return Verdict("not a transformer", NO_TRANSFORMERS[case.model_type])
    if unknown:
        kind = case.model_type
        why = PARTLY.get(kind) or REASONS.get(kind) or "no family of this type"
        return Verdict("not yet", one_line(why))
    # Proper refusals are of config.json alone, and not made of an exception of a row.
    proper = Path(refusal.place).name == CONFIG and refusal.__cause__ is None
    word: Word = "not yet" if proper else "fails"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    first = next((problem for problem in problems if " yet" in problem), problems[0])
    return Verdict(word, one_line(first, 110 - len(more)) + more)


def _builds_again(model: nn.Module, text: str) -> str:
    """Does the imported text, read as any spec is, compile to the file that the model is of?"""
    place = str(sys.modules[type(model).__module__].__file__)
    built = "".join(linecache.getlines(place))
    return "yes" if _code(mw.emit(mw.lower(mw.loads(text)))) == _code(built) else "another file"


def _code(file: str) -> str:
    """An emitted file without its opening, which names its source, and the sum of that."""
    return file[file.index('"""\n\n', 3) : file.rindex("# sha256")]


def _tried(trial: Any, *arguments: Any) -> str:
    try:
        return str(trial(*arguments))
    except Exception as error:
        return _said("", error, 60)


def _said(step: str, error: Exception, width: int = 110) -> str:
    said = f"{type(error).__name__}: {error}"
    return one_line(f"{step}: {said}" if step else said, width)


def _reads_text_alone(case: Case) -> bool:
    """Whether the whole model reads images or sounds too, and ours does not."""
    family = FAMILIES.get(case.model_type)
    return family is not None and str(family.note).startswith("Text only")
