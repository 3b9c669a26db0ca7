"""Random specs by the thousand: `python -m tests.fuzz valid --count 2000 --seed 0 -j2`.

`valid` draws specs and puts each through every step; `broken` mutates documents and loads each in
a process with limits. What fails is shrunk and printed; the exit code is 1 then.
"""

from __future__ import annotations

import argparse
import os
import sys

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):  # before torch or numpy is imported
    os.environ.setdefault(name, "1")


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("what", choices=["valid", "broken"])
    parser.add_argument("--count", type=int, default=2000, help="documents; 2000")
    parser.add_argument("--seed", type=int, default=0, help="the first seed; 0")
    parser.add_argument("-j", dest="jobs", type=int, default=2, help="processes; 2")
    parser.add_argument("--keep", action="store_true", help="do not shrink what fails")
    given = parser.parse_args(words)

    from . import run

    seeds = range(given.seed, given.seed + given.count)
    if given.what == "valid":
        return run.valid(seeds, given.jobs, shrink=not given.keep)
    return run.broken(seeds, given.jobs)


if __name__ == "__main__":
    sys.exit(main())
