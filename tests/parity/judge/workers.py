"""A process for every case, so that a crash does not end the run."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from tiny import Case

from .verdict import Verdict

Running = dict[Connection, tuple[Case, BaseProcess, float]]


def judge_all(cases: Sequence[Case], jobs: int, limit: float) -> Iterator[tuple[Case, Verdict]]:
    """Verdicts as they come, at most `jobs` at a time, each within `limit` seconds."""
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("fork" if "fork" in methods else "spawn")
    left, running = deque(cases), Running()
    while left or running:
        while left and len(running) < jobs:
            case = left.popleft()
            receive, send = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(case, send))
            process.start()
            send.close()
            running[receive] = (case, process, time.monotonic() + limit)
        yield from _finished(running, limit)


def _finished(running: Running, limit: float) -> Iterator[tuple[Case, Verdict]]:
    """Those that have an answer, have died, or have had their time."""
    now = time.monotonic()
    soonest = min(end for _, _, end in running.values())
    ready = set(wait(list(running), timeout=max(soonest - now, 0)))
    for receive, (case, process, end) in list(running.items()):
        late = time.monotonic() >= end
        if receive not in ready and not late:
            continue
        verdict = Verdict("fails", f"no answer within {limit:.0f} s")
        if receive in ready:
            verdict = _answer(receive, process)
        else:
            process.kill()
        process.join()
        receive.close()
        del running[receive]
        yield case, verdict


def _answer(receive: Connection, process: BaseProcess) -> Verdict:
    try:
        answer: Verdict = receive.recv()
    except EOFError:
        process.join()
        return Verdict("fails", f"the process ended with code {process.exitcode}")
    return answer


def _work(case: Case, send: Connection) -> None:
    """In its own process: what the library says on the way is not shown."""
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    import torch

    from .judge import judge

    torch.set_num_threads(1)
    send.send(judge(case))
    send.close()
