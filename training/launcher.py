"""Start a script in several processes of this machine, with torchrun.

    python -m modelwright.training.launcher PROCESSES SCRIPT [OPTIONS OF THE SCRIPT]

When a process fails, torchrun prints its own traceback and ends with exit code 1. The process has
already printed the reason; this program ends with the exit code of the process.
"""

from __future__ import annotations

import logging
import os
import signal
import sys

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import parse_args, run

REFUSED = 2
"""Exit code of a process that refuses its input; the others then lose the connection to it."""


def launch(processes: int, script: str, *options: str) -> int:
    """Run a script with its options in several processes. Returns the exit code, as in shells."""
    threads = max(1, (os.cpu_count() or 1) // processes)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    logging.getLogger("torch.distributed").setLevel(logging.CRITICAL)  # it repeats the error
    try:
        words = ["--standalone", f"--nproc-per-node={processes}", script, *options]
        run(parse_args(words))  # type: ignore[no-untyped-call]
    except ChildFailedError as error:
        codes = [failure.exitcode for failure in error.failures.values()]
        first = error.get_first_failure()[1].exitcode
        code = REFUSED if REFUSED in codes else first
        return code if code > 0 else 128 - code
    except SignalException as error:
        return 1 if error.sigval == signal.SIGINT else 128 + error.sigval
    return 0


if __name__ == "__main__":
    sys.exit(launch(int(sys.argv[1]), *sys.argv[2:]))
