"""The page of all verdicts: writing and reading it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path

import transformers
from equalities import table
from tiny import Case, all_cases
from tiny.cases import TEXT_HEADS

from .verdict import ALONE, WORDS, Verdict

PAGE = Path(__file__).resolve().parents[3] / "docs" / "coverage.md"
PUBLISHED = PAGE.parents[1] / "tests" / "huggingface" / "published"
COLUMNS = ("model type", "head", "variant", "verdict", "why, or error", "lines", "again", "greedy")
COLUMNS += ("left padding",)
Verdicts = Mapping[Case, Verdict]

OPENING = """\
# Which models of `transformers` can be imported

Written by `python -m tests.parity.coverage --write`, with transformers {version}.

This page lists which `transformers` model types you can import. For every model type and
language-model head, for encoders of images and audio, and for variants of published checkpoints, a
tiny model with random weights (no weight keeps a constant initial value) is saved, imported with
`from_pretrained`, and compared with the library's model. Equal means that all logits (or hidden
states, without a head) agree within 2e-5 of the largest one, in float32.

{counts}

{words}

The other columns, for equal models:

- **lines**: the number of lines of the imported spec
- **again**: whether this YAML builds the same file again
- **greedy**: how many tokens of greedy generation with a cache equal the library's; `not
  consistent in HF` if the library's own generation differs from its `forward`, and ours does not
- **left padding**: whether it leaves the outputs unchanged; `not invariant in HF` if it changes
  them in the library

[fields.md](fields.md) shows that the importer ignores no key of a config: each key is changed
separately.

{rows}

## Published configurations

These published configs, old and new, are imported with all their keys, with small sizes and random
weights, and compared with the library's class (`tests/huggingface/published/`, {published} files).

{checkpoints}

## Models of several parts

These examples contain parts that no imported model has. They are compared with another
implementation in float64, with all weights perturbed (`tests/parity/equalities.py`).

{equalities}
"""


def page(verdicts: Verdicts) -> str:
    """The Markdown of the verdicts, sorted by case."""
    rows = [
        _row(case.model_type, case.head, case.variant, *astuple(verdicts[case]))
        for case in sorted(verdicts, key=str)
    ]
    return OPENING.format(
        version=transformers.__version__,
        counts="\n".join(_counts(verdicts)),
        words="\n".join(f"- **{word}**: {meaning}" for word, meaning in WORDS.items()),
        rows="\n".join([_row(*COLUMNS), _row(*["---"] * len(COLUMNS)), *rows]),
        published=sum(len(found) for found in published().values()),
        checkpoints="\n".join(_checkpoints()),
        equalities="\n".join(table()),
    )


def published() -> dict[str, dict[str, str]]:
    """Model type -> checkpoint -> class, of the corpus of published configurations."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted(PUBLISHED.glob("*.json")):
        for name, config in json.loads(path.read_text(encoding="utf-8")).items():
            kind = (config.get("architectures") or ["no class named"])[0]
            found.setdefault(config["model_type"], {})[name] = kind
    return dict(sorted(found.items()))


def _checkpoints() -> list[str]:
    rows = [_row("model type", "checkpoint", "class"), _row("---", "---", "---")]
    for model_type, found in published().items():
        rows += [_row(model_type, name, kind) for name, kind in sorted(found.items())]
    return rows


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _counts(verdicts: Verdicts) -> list[str]:
    groups = {
        **{f"`{head}`": _kept(verdicts, head, variants=False) for head in TEXT_HEADS},
        "images and audio": {
            case: verdict
            for case, verdict in verdicts.items()
            if case.head not in TEXT_HEADS and not case.variant
        },
        "variants": {case: verdict for case, verdict in verdicts.items() if case.variant},
    }
    groups["total"] = dict(verdicts)
    lines = [_row("", *WORDS, "total"), _row(*["---"] * (len(WORDS) + 2))]
    for name, group in groups.items():
        counted = Counter(verdict.word for verdict in group.values())
        lines.append(_row(name, *(str(counted[word]) for word in WORDS), str(len(group))))
    types = {case.model_type for case in verdicts if case.head in TEXT_HEADS}
    equal = {
        case.model_type
        for case, verdict in verdicts.items()
        if case.head in TEXT_HEADS and verdict.word == "equal"
    }
    whole = {
        case.model_type
        for case, verdict in verdicts.items()
        if verdict.word == "equal" and ALONE not in verdict.why
    }
    return [
        *lines,
        "",
        f"Language-model types with an equal model: {len(equal)} of {len(types)}.",
        f"{len(equal - whole)} of these also read images or audio; only the text part is imported.",
    ]


def _kept(verdicts: Verdicts, head: str, *, variants: bool) -> dict[Case, Verdict]:
    return {
        case: verdict
        for case, verdict in verdicts.items()
        if case.head == head and bool(case.variant) == variants
    }


def read_page(path: Path = PAGE) -> dict[Case, Verdict]:
    """The verdicts that a page holds, of those cases that there still are; {} without a page.

    Other lines are passed over, those that mark a conflict among them.
    """
    if not path.exists():
        return {}
    cases = {(case.model_type, case.head, case.variant): case for case in all_cases()}
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        case = cases.get(tuple(cells[:3])) if len(cells) == len(COLUMNS) else None
        if case is not None and re.match(r"\|", line):
            found[case] = Verdict(*cells[3:])
    return found
