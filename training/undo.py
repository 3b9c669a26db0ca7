"""Leave a run folder as it was when a run is refused, or fails, before its first step."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WRITTEN = ("*.py", "*.yaml", "settings.json")
"""Files of a run that preparing it replaces; they are small."""
LOG = "log.jsonl"


class Before:
    """A run folder before it is prepared."""

    def __init__(self, run: Path) -> None:
        self.run, self.existed = run, run.is_dir()
        self.entries = set(run.iterdir()) if self.existed else set()
        self.files = {
            path: path.read_bytes()
            for pattern in WRITTEN
            for path in run.glob(pattern)
            if path.is_file()
        }
        self.log = self._log()

    def _log(self) -> int:
        """Size of the log, which begins with the first step."""
        path = self.run / LOG
        return path.stat().st_size if path.is_file() else 0

    def restore(self) -> None:
        """Undo what was written, unless a step has been completed."""
        if not self.run.is_dir() or self._log() > self.log:
            return
        for path in set(self.run.iterdir()) - self.entries:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path, data in self.files.items():
            if path.read_bytes() != data:
                path.write_bytes(data)
        if not self.existed:
            self.run.rmdir()


@contextmanager
def undone_if_refused(run: Path) -> Iterator[None]:
    """Context: leaves the folder as it was if the block raises before a step is completed."""
    before = Before(run)
    try:
        yield
    except Exception:
        before.restore()
        raise
