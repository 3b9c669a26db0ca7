"""A folder of token files, and a process that runs the training script in forks of itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pydoc_data import topics
from typing import Any

import pytest

from modelwright.training.emitted.log import read
from modelwright.training.encoding import read_tokenizer
from modelwright.training.token_files import Request, write_data

SETTINGS: dict[str, Any] = {
    "steps": 12, "batch": 8, "micro_batch": 4, "length": 16, "warmup": 3, "lr": 0.01,
    "log_every": 2, "eval_every": 6, "eval_steps": 1, "save_every": 2,
}  # fmt: skip


class Script:
    """Runs training scripts, without other words the one with the stand-in model; see server.py."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("server.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, out: Path, job: dict[str, Any] | None = None, **changes: Any) -> list[Any]:
        """Exit code (-9 when killed), things done to files, and what was printed."""
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        settings = {"data": str(self.data), **SETTINGS, **changes}
        whole = {"out": str(out), "settings": settings, **(job or {})}
        self.server.stdin.write(json.dumps(whole) + "\n")
        self.server.stdin.flush()
        answer: list[Any] = json.loads(self.server.stdout.readline())
        return answer


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bytes of Python's documentation, in documents."""
    folder = tmp_path_factory.mktemp("tokens")
    lines = [json.dumps({"text": text}) + "\n" for text in list(topics.topics.values())[:30]]
    (folder / "topics.jsonl").write_text("".join(lines), encoding="utf-8")
    request = Request([folder / "topics.jsonl"], "text", read_tokenizer("bytes"), None, 0.1)
    write_data(request, folder / "tokens")
    return folder / "tokens"


@pytest.fixture(scope="session")
def script(tokens: Path) -> Iterator[Script]:
    made = Script(tokens)
    yield made
    made.server.terminate()
    made.server.wait()


def log_of(out: Path) -> list[dict[str, Any]]:
    """The lines of a log without the speed, which no two runs share."""
    lines = read(out / "log.jsonl")
    return [{key: value for key, value in line.items() if key != "speed"} for line in lines]


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Context: no file may become larger than `size` bytes, as on a full disk."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
