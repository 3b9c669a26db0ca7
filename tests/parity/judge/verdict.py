"""The verdict on one case."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Word = Literal["equal", "differs", "fails", "not yet", "not a transformer", "cannot be built"]
WORDS: dict[Word, str] = {
    "equal": "the imported model has the outputs of the library's model",
    "differs": "it is imported, but its outputs differ",
    "fails": "the importer, the compiler or the model stops with an error",
    "not yet": "the importer raises an error with the reason",
    "not a transformer": "it has no attention",
    "cannot be built": "the library cannot build or run the tiny model",
}

BOUNDS = (1e-6, 2e-6, 5e-6, 1e-5, 2e-5)
"""Errors are rounded up to one of these, so that the page does not change."""


ALONE = ", text only"
"""Marks a model that also reads images or audio; only its text part is imported."""

SHORT = ", up to `index_topk` tokens"
"""Marks a model whose attention differs for longer sequences."""


@dataclass(frozen=True)
class Verdict:
    """A word, the reason, and for equal models the results of further tests.

    why: the reason, or the size of the error
    lines: number of lines of the imported spec
    again: whether the imported YAML builds the same model
    greedy: number of greedy tokens that equal the library's
    padded: whether left-padded rows give the same outputs
    """

    word: Word
    why: str = ""
    lines: str = ""
    again: str = ""
    greedy: str = ""
    padded: str = ""

    def with_(self, **changes: str) -> Verdict:
        return replace(self, **changes)

    @property
    def wrong(self) -> bool:
        """Whether something must be fixed."""
        tried = (self.again, self.greedy, self.padded)
        good = ("", "–", "yes", "8 of 8", "not invariant in HF", "not consistent in HF")
        return self.word in ("differs", "fails") or any(
            text not in good and not text.startswith("HF cannot") for text in tried
        )


def bound(error: float) -> str:
    """An error in words that another machine says too: its bound if it is small, else a digit."""
    for limit in BOUNDS:
        if error <= limit:
            return f"≤ {limit:.0e}".replace("e-0", "e-")
    return f"{error:.0e}" if error < 0.1 else f"{error:.1g}"


def one_line(text: object, width: int = 110) -> str:
    """The text on one line that may stand in a table, its end cut off where it is long."""
    line = " ".join(str(text).split()).replace("|", "/")
    return line if len(line) <= width else line[: width - 1].rstrip() + "…"
