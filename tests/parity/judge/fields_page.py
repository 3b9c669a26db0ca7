"""The page of `--fields`: what was changed for each type, and what is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import transformers
from tiny import Case

from .page import PAGE as COVERAGE
from .verdict import Verdict, Word

PAGE = COVERAGE.with_name("fields.md")
KINDS: dict[str, tuple[Word, ...]] = {
    "equal": ("equal",),
    "differs": ("differs",),
    "refused": ("not yet", "fails"),
    "invalid in the library": ("cannot be built", "not a transformer"),
}
Counts = dict[tuple[str, str], tuple[int, ...]]  # of a type and its head, one for each kind
Versions = dict[tuple[str, str], str]  # of the library that a type and its head were tried with
Reasons = dict[tuple[str, str, str], str]  # of a type, its head and the change

OPENING = """\
# What each key of a config changes

Written by `python -m tests.parity.coverage --fields --write`. The first column of numbers is the
version of transformers that a row was tried with; `--fields TYPE --write` tries one type again.

Each tiny model that is equal in [coverage.md](coverage.md) is compared again with one key of its
`config.json` changed: booleans are negated; sizes, rates, activations and bases of rotary positions
are replaced. If the importer ignored a key, the outputs would differ. There are {total} changes
to {types} models: {counts}.

{rows}

These changes raise an error on import. All other changes give equal outputs, or the library itself
cannot run them.

{reasons}
"""


def write(verdicts: Mapping[Case, Verdict], path: Path = PAGE) -> None:
    """Put verdicts of changed cases on the page, in the place of what it says of their types."""
    counts, reasons, versions = read(path)
    tried = {(case.model_type, case.head) for case in verdicts}
    reasons = {key: why for key, why in reasons.items() if key[:2] not in tried}
    for kind in tried:
        mine = {case: v for case, v in verdicts.items() if (case.model_type, case.head) == kind}
        counted = Counter(verdict.word for verdict in mine.values())
        versions[kind] = transformers.__version__
        counts[kind] = tuple(sum(counted[word] for word in words) for words in KINDS.values())
        reasons |= {
            (*kind, case.variant): verdict.why
            for case, verdict in mine.items()
            if verdict.word in KINDS["refused"]
        }
    path.write_text(page(counts, reasons, versions), encoding="utf-8")


def page(counts: Counts, reasons: Reasons, versions: Versions) -> str:
    sums = [sum(column) for column in zip(*counts.values(), strict=True)] or [0] * len(KINDS)
    said = [f"{number} {kind}" for number, kind in zip(sums, KINDS, strict=True)]
    rows = [(*kind, versions[kind], *map(str, counts[kind])) for kind in sorted(counts)]
    return OPENING.format(
        total=sum(sums),
        types=len(counts),
        counts=", ".join(said),
        rows=_table(("model type", "head", "transformers", *KINDS), rows),
        reasons=_table(
            ("model type", "head", "change", "why"),
            [(*key[:2], f"`{key[2]}`", reasons[key]) for key in sorted(reasons)],
        ),
    )


def read(path: Path = PAGE) -> tuple[Counts, Reasons, Versions]:
    """What a page says; nothing where there is none."""
    counts, reasons, versions = Counts(), Reasons(), Versions()
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for line in lines:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3 + len(KINDS) and cells[3].isdigit():
            counts[cells[0], cells[1]] = tuple(map(int, cells[3:]))
            versions[cells[0], cells[1]] = cells[2]
        elif len(cells) == 4 and cells[2].startswith("`"):
            reasons[cells[0], cells[1], cells[2].strip("`")] = cells[3]
    return counts, reasons, versions


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
