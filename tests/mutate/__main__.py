"""Small faults by the hundred: `python -m tests.mutate --sample 300 --seed 0`.

Each is planted in a process of its own and tried with the laws, then with the tests that run its
line. What becomes of it is written to `out/mutants/results.jsonl` at once: a run that was stopped
goes on where it was, and what is known is not tried again. The exit code is 1 where an area's score
is below its goal.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):  # before torch or numpy is imported
    os.environ.setdefault(name, "1")
TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "parity"), str(TESTS / "huggingface")]


def main(words: list[str] | None = None) -> int:
    from .areas import AREAS, BY_NAME

    names = [area.name for area in AREAS]
    parser = argparse.ArgumentParser(prog="python -m tests.mutate", description=__doc__)
    parser.add_argument(
        "--sample", type=int, default=300, help="mutants; 300. 1500 is all that is asked"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the sample; 0")
    parser.add_argument("--area", action="append", choices=names, help="this one alone; repeatable")
    parser.add_argument("--again", action="store_true", help="try what survived once more")
    parser.add_argument("--report", action="store_true", help="of what is known; try nothing")
    parser.add_argument("--show", metavar="ID", help="one mutant, and what became of it")
    given = parser.parse_args(words)

    from . import known_tree
    from .report import rendered, scores
    from .run import named, results, run, sampled

    if given.show:
        print(named(given.show))
        return 0
    areas = [BY_NAME[name] for name in given.area or names]
    mutants = sampled(areas, given.sample, given.seed)
    if given.report:
        done = results()
    else:
        known_tree.make({area.judge for area in areas})
        done = run(mutants, again=given.again, tell=lambda line: print(line, flush=True))
    found = scores(mutants, done)
    print(rendered(found))
    return 0 if all(score.holds for score in found) else 1


if __name__ == "__main__":
    sys.exit(main())
