"""One mutant in a separate process: planted, tested with the laws, then with the tests."""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .areas import ROOT
from .coverage import Timed
from .hook import install
from .laws import Found
from .mutants import Mutant

LIMIT = 60
"""CPU seconds after which a process is ended: the fault made something endless."""
MEMORY = 12 * 2**30
"""Bytes of address space: so does a fault that makes something huge."""
TESTS = 3.0
"""CPU seconds of the tests that are tried."""
SURVIVED = "survived"


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant.

    by: `laws`, `tests`, `raised` (it cannot compile what it should), `endless`, or `survived`
    why: the law or the test, or what was raised
    """

    identity: str
    by: str
    why: str
    seconds: float
    specs: int = 0
    tests: int = 0

    def line(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)


def tried(
    mutant: Mutant, laws: Callable[[Mutant], int], tests: Callable[[Mutant], Sequence[Timed]]
) -> Outcome:
    """Fork, plant, judge. The parent has imported nothing of what the mutant changes."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        with os.fdopen(write, "w") as out, contextlib.suppress(BaseException):
            out.write(_inside(mutant, laws, tests).line())
            out.flush()
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as given:
        text = given.read()
    os.waitpid(child, 0)
    if not text:
        return Outcome(mutant.identity, "endless", "more than its time or memory", LIMIT)
    return Outcome(**json.loads(text))


def _inside(
    mutant: Mutant, laws: Callable[[Mutant], int], tests: Callable[[Mutant], Sequence[Timed]]
) -> Outcome:
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT + 5))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    begun, specs, some = time.process_time(), 0, 0

    def outcome(by: str, why: str) -> Outcome:
        spent = round(time.process_time() - begun, 2)
        return Outcome(mutant.identity, by, why[:200], spent, specs, some)

    with quiet():
        try:
            install(mutant)
            specs = laws(mutant)
        except Found as law:
            return outcome("laws", str(law))
        except Exception as error:
            return outcome("raised", raised(error))
        chosen = affordable(mutant, tests(mutant))
        some = len(chosen)
        failed = failing(chosen) if chosen else ""
    return outcome("tests", failed) if failed else outcome(SURVIVED, "")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nothing that is printed inside is seen."""
    out, err = contextlib.redirect_stdout, contextlib.redirect_stderr
    with open(os.devnull, "w", encoding="utf-8") as nowhere, out(nowhere), err(nowhere):
        yield


def raised(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({frame.filename.rpartition('/')[2]}:{frame.lineno})"


def affordable(mutant: Mutant, tests: Sequence[Timed]) -> list[Timed]:
    """The quickest tests of a line, and some others, as many as the time is enough for."""
    tests = sorted(tests, key=lambda test: test.seconds)
    first, rest = list(tests[:12]), list(tests[12:])
    random.Random(mutant.identity).shuffle(rest)
    found, left = [], TESTS
    for test in first + rest:
        left -= test.seconds
        if left > 0 and len(found) < 40:
            found.append(test)
    return found


class Failure:
    """The first test that fails."""

    def __init__(self) -> None:
        self.name = ""

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self.name:
            self.name = report.nodeid

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed and not self.name:
            self.name = f"{report.nodeid} cannot be read"


def failing(tests: Sequence[Timed]) -> str:
    """The name of a test that fails; "" where all pass."""
    import pytest

    os.chdir(ROOT)
    names = [f"tests/{test.name}" for test in sorted(tests, key=lambda test: test.name)]
    words = ["--rootdir=tests", "--confcutdir=tests", "-p", "no:cacheprovider", "-q", "-x"]
    failure = Failure()
    code = pytest.main([*words, *names], plugins=[failure])
    return failure.name or ("" if code == 0 else f"pytest ends with {int(code)}")
