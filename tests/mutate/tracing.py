"""Which lines of the areas run during a call."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import FrameType
from typing import Any

from .areas import ROOT, watched

Line = tuple[str, int]
"""A file below the repository, and the number of a line."""


BUILT = "<modelwright_built."
"""How the files begin that are built and imported at once."""


@cache
def names() -> dict[str, str]:
    """The file of a code object -> its path below the repository."""
    return {str(ROOT / path): path for path in watched()}


@contextmanager
def traced() -> Iterator[set[Line]]:
    """The lines that run inside, as they are found. What was traced before is traced again then."""
    found: set[Line] = set()
    known = names()

    def local(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            found.add((known[frame.f_code.co_filename], frame.f_lineno))
        return local

    def start(frame: FrameType, event: str, _: Any) -> Any:
        file = frame.f_code.co_filename
        if file.startswith(BUILT):  # what a built file copies has no lines of its own here
            code = frame.f_code
            found.update((f"built:{name}", 0) for name in (code.co_qualname, code.co_name))
            return None
        path = known.get(file)
        if path is None:
            return None
        found.add((path, frame.f_lineno))
        return local

    before = sys.gettrace()
    threading.settrace(start)
    sys.settrace(start)
    try:
        yield found
    finally:
        sys.settrace(before)
        threading.settrace(before)  # type: ignore[arg-type]
