"""A folder of token files, and a process that runs the training script in forks of itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
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

# Each line is a job. `event`: the process kills itself before the n-th thing that it does to a file
# of the run; `seconds`: it is killed after that time; `limit`: no file may be larger, as on a full
# disk. The answer: was it killed, its exit code, and how many of those things it did.
SERVER = """
import contextlib, io, json, os, resource, signal, sys, time
import torch
from pathlib import Path
from modelwright.training.emitted import train
from modelwright.training.emitted.files import TrainingError
from modelwright.training.emitted.settings import checked
torch.set_num_threads(1)
weight = torch.nn.Parameter(torch.ones(2, 2))  # so that no fork has to import what a step needs
weight.sum().backward()
torch.optim.AdamW([weight]).step()
EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree")

def child(job, pipe):
    out, count, torn = job["out"], 0, job.get("event")
    def hook(event, arguments):
        nonlocal count
        if event in EVENTS and str(arguments[0]).startswith(out):
            count += 1
            if count == torn:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    if job.get("limit"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["limit"],) * 2)
    code, said = 0, io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            Path(out).mkdir(exist_ok=True)
            train.Run(checked(job["settings"]), Path(out)).run()
        except TrainingError as error:
            code = 2
            print(error)
    os.write(pipe, json.dumps([code, count, said.getvalue()[-4000:]]).encode())
    os._exit(0)

for line in sys.stdin:
    job = json.loads(line)
    ours, theirs = os.pipe()
    pid = os.fork()
    if not pid:
        child(job, theirs)
    os.close(theirs)
    if job.get("seconds"):
        time.sleep(job["seconds"])
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    told = os.read(ours, 65536)
    os.close(ours)
    print(json.dumps(json.loads(told) if told else [-9 if os.WIFSIGNALED(status) else 1, 0, ""]),
          flush=True)
"""


class Script:
    """Runs the training script with the stand-in model."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.server = subprocess.Popen(
            [sys.executable, "-c", SERVER],
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


@pytest.fixture(scope="module")
def script(tokens: Path) -> Iterator[Script]:
    made = Script(tokens)
    yield made
    made.server.terminate()
    made.server.wait()


def log_of(out: Path) -> list[dict[str, Any]]:
    """The lines of a log without the speed, which no two runs share."""
    lines = read(out / "log.jsonl")
    return [{key: value for key, value in line.items() if key != "speed"} for line in lines]
