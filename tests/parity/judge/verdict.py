"""What is said about one case."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Word = Literal["equal", "differs", "fails", "not yet", "not a transformer", "cannot be built"]
WORDS: dict[Word, str] = {
    "equal": "the imported model computes what the library computes",
    "differs": "it is imported, and computes something else",
    "fails": "the importer, the compiler or the model stops with an error",
    "not yet": "the importer refuses it and says why",
    "not a transformer": "its layers do not attend",
    "cannot be built": "the library itself does not build or run the tiny model",
}

BOUNDS = (1e-6, 2e-6, 5e-6, 1e-5, 2e-5)
"""An error is given by the first of these that it does not pass, so that a page stays the same."""


ALONE = ", the text alone"
"""Is said of a model that reads images or sounds too, which are not imported with it."""

SHORT = ", texts of up to `index_topk` tokens"
"""Is said of a model whose attention to more tokens is another one."""


@dataclass(frozen=True)
class Verdict:
    """A word, why, and for an equal model what else was tried.

    why: a reason, or how large the error is
    lines: of the imported spec
    again: does the imported text build the same model?
    greedy: tokens of greedy generation that are the library's
    padded: do rows with padding on the left say the same?
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
        """Is there something to mend?"""
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
