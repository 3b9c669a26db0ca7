"""Run many random documents in several processes and collect the results."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from modelwright.spec import SpecErrors

from .broken import BYTES, Reading, read_many
from .parts import Data
from .shrink import shrunk
from .specs import Document, random_spec

OK, REFUSED = "ok", "refused"
BATCH = 1000
ADDRESSES = 2**30
"""Of a process that reads broken documents, in bytes: what it holds is half of it at most."""


@dataclass(frozen=True)
class Outcome:
    """What came of a seed: `ok`, `refused` by a located error, or the step that failed.

    apart: why some of its numbers were not compared
    """

    seed: int
    step: str
    what: str = ""
    apart: tuple[str, ...] = ()


def judged(seed: int) -> Outcome:
    from .examine import Fault, examine

    try:
        apart = examine(random_spec(seed), thorough=seed % 100 == 99)
    except SpecErrors as error:
        return Outcome(seed, REFUSED, str(error.problems[0]))
    except Fault as fault:
        return Outcome(seed, fault.step, fault.what)
    return Outcome(seed, OK, apart=tuple(sorted(apart)))


def minimal(seed: int, step: str, seconds: float = 60) -> Document:
    """The smallest document like that of the seed that fails at the same step."""
    from .examine import Fault, examine

    document = random_spec(seed)

    def fails(data: Data) -> bool:
        try:
            examine(document.with_data(data))
        except Fault as fault:
            return fault.step == step
        except Exception:
            return False
        return False

    return document.with_data(shrunk(document.data, fails, seconds))


def valid(seeds: Sequence[int], jobs: int, *, shrink: bool = True) -> int:
    """Examine the spec of every seed; print each failure, and the counts."""
    start = time.monotonic()
    found: list[Outcome] = []
    with multiprocessing.get_context("spawn").Pool(jobs, maxtasksperchild=100) as pool:
        for outcome in pool.imap_unordered(judged, seeds, chunksize=10):
            found.append(outcome)
            if outcome.step not in (OK, REFUSED):
                print(f"seed {outcome.seed}: {outcome.step}: {outcome.what}", flush=True)
    counts = Counter(outcome.step for outcome in found)
    wrong = [outcome for outcome in found if outcome.step not in (OK, REFUSED)]
    kinds = {outcome.step: outcome for outcome in wrong}
    for step, outcome in kinds.items() if shrink else ():
        print(f"\n# {step}, of seed {outcome.seed}: {outcome.what}")
        print(minimal(outcome.seed, step).text)
    seconds = time.monotonic() - start
    for reason, count in Counter(word for outcome in found for word in outcome.apart).items():
        seeds_apart = sorted(outcome.seed for outcome in found if reason in outcome.apart)
        print(f"{reason}, and some numbers not compared: {count}: {seeds_apart}")
    print(f"{len(found)} specs: {counts[OK]} ok, {counts[REFUSED]} refused, {len(wrong)} faults;")
    print(f"accepted at first draw: {1 - counts[REFUSED] / len(found):.1%}; {seconds:.0f} s")
    return 1 if wrong else 0


# -- broken documents


def limited_batch(seeds: range) -> tuple[list[Reading], int]:
    """What came of a batch, read under a limit of memory, and the most memory that it held."""
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    found = read_many(seeds)
    return found, max(before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * 1024


def broken(seeds: range, jobs: int) -> int:
    """Read the broken document of every seed, a process for each batch; print what is wrong."""
    start, counts, most = time.monotonic(), Counter[str](), 0
    batches = [seeds[i : i + BATCH] for i in range(0, len(seeds), BATCH)]
    wrong: list[Reading] = []
    with multiprocessing.get_context("spawn").Pool(jobs, maxtasksperchild=1) as pool:
        for readings, held in pool.imap_unordered(limited_batch, batches):
            counts.update(reading.word for reading in readings)
            most = max(most, held)
            bad = [reading for reading in readings if reading.word not in ("valid", "refused")]
            wrong += bad
            for reading in bad:
                print(f"seed {reading.seed}: {reading.word}: {reading.what}", flush=True)
    total = sum(counts.values())
    said = ", ".join(f"{count:,} {word}" for word, count in counts.most_common())
    print(f"{total:,} documents: {said}; {len(wrong)} faults;")
    print(f"at most {most / 2**20:.0f} MB of memory; {time.monotonic() - start:.0f} s")
    return 1 if wrong or most > BYTES else 0
