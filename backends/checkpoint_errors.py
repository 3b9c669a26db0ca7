"""What is wrong with a checkpoint: every problem of a file or folder in one error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

SHOWN = 20
"""How many problems of one kind a message lists."""


class CheckpointError(ValueError):
    """A checkpoint that cannot be read.

    problems: one sentence each, all of them; `str()` lists the first ones
    """

    def __init__(self, place: object, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        self.place = str(place)
        super().__init__("\n".join(limited(f"{place}: {problem}" for problem in self.problems)))

    def __reduce__(self) -> tuple[type[CheckpointError], tuple[str, tuple[str, ...]]]:
        return CheckpointError, (self.place, self.problems)


def limited(lines: Iterable[str], what: str = "") -> list[str]:
    """The first lines, and how many more of `what` there are."""
    every = list(lines)
    if len(every) <= SHOWN + 1:
        return every
    more = f"… and {len(every) - SHOWN:,} more"
    return [*every[:SHOWN], f"{more} {what}".rstrip()]
