"""Test mutants one after another and store their results in a file."""

from __future__ import annotations

import importlib
import json
import random
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from . import coverage, folders, known
from .areas import AREAS, CACHE, Area, area_of
from .coverage import Timed
from .laws import Judge, library, oracle, writings
from .mutants import Mutant, of_area
from .tried import SURVIVED, Outcome, tried

RESULTS = CACHE / "results.jsonl"
HEAVY = ("torch", "numpy", "pydantic", "yaml", "networkx", "safetensors.torch", "tokenizers",
         "transformers", "hypothesis", "pytest", "click.testing", "symtable", "rich")  # fmt: skip
"""What mutants import and none of them changes: imported once."""
RUNTIME = "backends/pytorch/runtime/"
JUDGES: dict[str, Judge] = {"oracle": oracle, "writings": writings, "library": library}


def sampled(areas: Iterable[Area], count: int, seed: int) -> list[Mutant]:
    """So many mutants, an equal share of each area; the first of a seed are the same for any count.

    Within an area every line is as likely as any other, however many faults it can have.
    """
    chosen = list(areas)
    found: list[Mutant] = []
    for number, area in enumerate(chosen):
        share = count // len(chosen) + (number < count % len(chosen))
        found += shuffled(of_area(area.name), seed)[:share]
    return found


def shuffled(mutants: Sequence[Mutant], seed: int) -> list[Mutant]:
    """One of each line at random, then a second of each line, and so on."""
    dice = random.Random(seed)
    lines: dict[tuple[str, int], list[Mutant]] = {}
    for mutant in mutants:
        lines.setdefault((mutant.path, mutant.line), []).append(mutant)
    found: list[Mutant] = []
    for mutants_of_line in lines.values():
        dice.shuffle(mutants_of_line)
    rounds = max(map(len, lines.values()), default=0)
    for turn in range(rounds):
        now = [some[turn] for some in lines.values() if len(some) > turn]
        dice.shuffle(now)
        found += now
    return found


def results(path: Path = RESULTS) -> dict[str, Outcome]:
    """What became of each mutant, by its identity: the last that was written."""
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    return {one["identity"]: Outcome(**one) for one in map(json.loads, lines)}


def run(
    mutants: Sequence[Mutant],
    *,
    again: bool = False,
    path: Path = RESULTS,
    tell: Callable[[str], None] = print,
) -> dict[str, Outcome]:
    """Try each that is not known, and write down what became of it.

    again: try survivors once more
    """
    done = results(path)
    wanted = [
        mutant
        for mutant in mutants
        if mutant.identity not in done or (again and done[mutant.identity].by == SURVIVED)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    for name in HEAVY if wanted else ():
        importlib.import_module(name)
    tests = coverage.by_line() if wanted else {}
    for area in sorted(AREAS, key=lambda area: len(area.ground)):
        own = [mutant for mutant in wanted if mutant.area == area.name]
        laws = prepared(area) if own else lambda mutant: 0
        for number, mutant in enumerate(own):
            begun = time.monotonic()
            outcome = tried(mutant, laws, lambda one: covering(one, tests))
            with path.open("a", encoding="utf-8") as file:
                file.write(outcome.line() + "\n")
            done[mutant.identity] = outcome
            spent = time.monotonic() - begun
            tell(f"{area.name} {number + 1}/{len(own)} {spent:.1f} s {outcome.by}: {mutant}")
    return done


def prepared(area: Area) -> Callable[[Mutant], int]:
    """The judge of an area, with what it needs to know. Its ground is imported here."""
    for name in area.ground:
        importlib.import_module(name)
    judge = JUDGES[area.judge]
    stored: Sequence[Any] = folders.stored() if area.judge == "library" else known.stored()
    specs = {one.name: known.read(one) for one in stored} if area.judge == "oracle" else {}
    above = [name for name in sys.modules if name.startswith("modelwright.")]
    own = {mutant.module for mutant in of_area(area.name)}
    assert not own & set(above), f"{area.name} is imported too early: {sorted(own & set(above))}"
    return lambda mutant: judge(mutant, stored, specs)


def covering(mutant: Mutant, tests: dict[tuple[str, int], list[Timed]]) -> list[Timed]:
    """The tests that run its line, or the copy of its function in a built file.

    A table's line runs nowhere: any tests that run lines of its file.
    """
    found = tests.get((mutant.path, mutant.line), []) + tests.get((copied(mutant), 0), [])
    if not found:
        found = [test for (path, _), some in tests.items() for test in some if path == mutant.path]
    folders = tuple(f"{folder}/" for folder in area_of(mutant.path).tests)
    return [test for test in dict.fromkeys(found) if test.name.startswith(folders)]


def copied(mutant: Mutant) -> str:
    """What the tracer calls a function of the runtime in a built file; "" for other files."""
    return f"built:{mutant.scope}" if mutant.path.startswith(RUNTIME) else ""


def named(identity: str) -> str:
    """A mutant by its identity, with what became of it. Raises KeyError for none."""
    for area in AREAS:
        for mutant in of_area(area.name):
            if mutant.identity == identity:
                return f"{mutant}\n{results().get(identity, 'not tried')}"
    raise KeyError(identity)
