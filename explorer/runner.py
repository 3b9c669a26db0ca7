"""Runs models in a child process, one at a time, with limits of time, memory and weights."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

SECONDS = 20.0
"""For one run."""
START = 180.0
"""For the start, in which torch is imported."""
NO_PLUGINS = "--no-plugins"
STOPPED = f"the model ran for more than {SECONDS:.0f} seconds and was stopped"
ENDED = "the model ended unexpectedly; it may have needed too much memory"


class Runner:
    """A child process that is started on the first run, and again after it was stopped."""

    def __init__(
        self,
        command: list[str] | None = None,
        seconds: float = SECONDS,
        arguments: Sequence[str] = (),
    ) -> None:
        """command: of the child; arguments: of `worker.py`, which are plug-ins that it loads"""
        worker = [sys.executable, "-m", f"{__package__}.worker", *arguments]
        self.command = command or worker
        self.seconds = seconds
        self._one = threading.Lock()
        self._child: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str] = queue.Queue()

    def run(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The worker's answer, or `error`."""
        with self._one:
            child = self._child
            if child is None or child.poll() is not None:
                child = self._start()
            assert child.stdin is not None
            try:
                child.stdin.write(json.dumps(asked) + "\n")
                child.stdin.flush()
            except OSError:
                self.stop()
                return {"error": ENDED}
            return self._next(self.seconds)

    def stop(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()

    def _start(self) -> subprocess.Popen[str]:
        self.stop()
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "2"}
        child = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env=environment,
        )
        self._child, self._lines = child, queue.Queue()
        threading.Thread(target=_read, args=(child, self._lines), daemon=True).start()
        self._next(START)  # it says that it is ready
        return child

    def _next(self, seconds: float) -> dict[str, Any]:
        """The next answer; one that does not come ends the child."""
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            self.stop()
            return {"error": STOPPED}
        if not line:
            self.stop()
            return {"error": ENDED}
        found: dict[str, Any] = json.loads(line)
        return found


def _read(child: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
    """Pass on the lines of a child; an empty one for its end."""
    assert child.stdout is not None
    for line in child.stdout:
        lines.put(line)
    lines.put("")
