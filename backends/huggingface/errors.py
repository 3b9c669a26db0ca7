"""What is wrong with a checkpoint: every problem of a folder in one error."""

from __future__ import annotations

from collections.abc import Sequence


class CheckpointError(ValueError):
    """A folder that cannot be imported. `problems` holds one sentence each; `str()` all of them."""

    def __init__(self, place: object, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        self.place = str(place)
        said = [f"{place}: {problem}" for problem in self.problems]
        super().__init__("\n".join(said))

    def __reduce__(self) -> tuple[type[CheckpointError], tuple[str, tuple[str, ...]]]:
        return CheckpointError, (self.place, self.problems)


class ExportError(ValueError):
    """A model that cannot be exported; the message says why."""
