"""Settings of a process that only answers questions. The process of a caller keeps its own."""

from __future__ import annotations

import gc
import sys

YOUNG = 50_000
"""New objects between two collections: those of an answer, of which few form cycles."""
TURN = 1e-4
"""Seconds for which a thread computes before one that waits gets its turn."""


def answer_only() -> None:
    """For the process of a server: collect less garbage, and send an answer while the next one is
    computed. By default, the thread that sends would wait 5 ms for each of its steps."""
    collect_less()
    sys.setswitchinterval(TURN)


def collect_less() -> None:
    """Never look again at what is imported by now, and look less often at the rest.

    A fifth of the time of an answer were collections that found nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 10)
