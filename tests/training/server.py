"""A process that runs training scripts in forks of itself, so that none has to import torch.

Each line of stdin is a job, as JSON. Its answer is a list, as JSON: the exit code, the number of
things it did to files of the run, and what it printed.

out, settings   of the run
run             folder with the script; without it, the one of this repository and its model
processes       that compute together, over gloo; 1 by default
event           the process kills itself before the n-th thing that it does to a file of the run
seconds         it is killed after that time
limit           no file may be larger, as on a full disk
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import resource
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import torch

from modelwright.training.emitted import train as own_script

EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree")
Answer = list[Any]


def child(job: dict[str, Any], pipe: int, rank: int, port: int) -> None:
    """Run the script, write the answer, and end."""
    out, count, torn = job["out"], 0, job.get("event")

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event in EVENTS and str(arguments[0]).startswith(out):
            count += 1
            if count == torn:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    if job.get("limit"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["limit"],) * 2)
    ranks, code, said = job.get("processes", 1), 0, io.StringIO()
    if ranks > 1:
        named = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": ranks, "MASTER_PORT": port}
        words = {"MASTER_ADDR": "127.0.0.1", "TORCHELASTIC_RUN_ID": "test"}
        os.environ.update(words | {name: str(value) for name, value in named.items()})
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        script: Any = own_script
        if "run" in job:
            sys.path.insert(0, job["run"])
            script = importlib.import_module("train")
        settings = importlib.import_module(script.read_settings.__module__)
        try:
            Path(out).mkdir(exist_ok=True)
            script.Run(settings.checked(job["settings"]), Path(out)).run()
            script.total(0)  # no process ends before all have written their files
        except script.TrainingError as error:
            code = 2
            print(error)
        except Exception as error:
            code = 1
            print(f"{type(error).__name__}: {error}")
    os.write(pipe, json.dumps([code, count, said.getvalue()[-4000:]]).encode())
    os._exit(code)


def answer_of(job: dict[str, Any]) -> Answer:
    """The answer of the first process that failed; without one, of the first."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    pipes: dict[int, int] = {}
    for rank in range(job.get("processes", 1)):
        ours, theirs = os.pipe()
        process = os.fork()
        if not process:
            child(job, theirs, rank, port)
        os.close(theirs)
        pipes[process] = ours
    if job.get("seconds"):
        time.sleep(job["seconds"])
        for process in pipes:
            os.kill(process, signal.SIGKILL)
    answers: list[Answer] = []
    while pipes:
        process, status = os.wait()
        told = os.read(pipes[process], 65536)
        os.close(pipes.pop(process))
        killed = -9 if os.WIFSIGNALED(status) else 1
        answers.append(json.loads(told) if told else [killed, 0, ""])
        if status:  # the others would wait for it
            for other in pipes:
                os.kill(other, signal.SIGKILL)
    return next((answer for answer in answers if answer[0]), answers[-1])


def main() -> None:
    torch.set_num_threads(1)
    weight = torch.nn.Parameter(torch.ones(2, 2))  # so that no fork has to import what a step needs
    torch.autograd.backward(weight.sum())
    torch.optim.AdamW([weight]).step()
    for line in sys.stdin:
        job = json.loads(line)
        if job.get("processes", 1) > 1:  # the same of what several processes need
            for name in ("fsdp", "tensor.parallel"):
                importlib.import_module(f"torch.distributed.{name}")
        print(json.dumps(answer_of(job)), flush=True)


if __name__ == "__main__":
    main()
