"""What a mutant is tried with first: laws, on what is known of the unchanged compiler.

Each judge raises Found where a law fails, or whatever the mutant raises; it returns when nothing
was found. It runs in a process of the mutant's own, and imports the compiler with the fault.
"""

from __future__ import annotations

import ast
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from .areas import ROOT
from .folders import TOLERANCE, Folder, exported, needed
from .known import NEAR, Known, Written, keeps, read
from .mutants import Mutant

SPECS = 40
"""How many specs judge a mutant at most."""
AROUND = 40
"""Lines before and after a mutant's that tell apart which specs are alike."""
SHORT = 0.15
"""Seconds that a law may take to be tried with as many specs as time is left for."""
SECONDS = 3.0
"""CPU time of the oracle, of the other laws, and of the tests after them: 10 s together, about."""


class Found(Exception):
    """A law fails: the mutant is found."""


def chosen(mutant: Mutant, stored: Sequence[Any], most: int = SPECS) -> list[Any]:
    """The specs or folders that judge a mutant: of those that run its line, as various as can be.

    Those that run the same lines around it are alike: one of each kind comes first, the quickest,
    then one of each kind with another value of an option, and so on.
    """
    alike: dict[frozenset[int], list[Any]] = {}
    for one in running(mutant, stored):
        around = frozenset(
            line
            for path, line in one.lines
            if path == mutant.path and abs(line - mutant.line) <= AROUND
        )
        alike.setdefault(around, []).append(one)
    if len(alike) == 1:  # a table, or the runtime, of which no line runs
        return various(next(iter(alike.values())))[:most]
    kinds = [various(some) for some in alike.values()]
    rounds = max(map(len, kinds), default=0)
    found = [some[turn] for turn in range(rounds) for some in kinds if len(some) > turn]
    return found[:most]


def various(some: Sequence[Any]) -> list[Any]:
    """The same, first those that add an op or a helper to those before them, the quickest first."""
    found, left = [], list(some)
    while left:
        seen: set[str] = set()
        late = []
        for one in left:
            (late if one.words <= seen else found).append(one)
            seen |= one.words
        if len(late) == len(left):  # they have no words
            return found + late
        left = late
    return found


def running(mutant: Mutant, stored: Sequence[Any]) -> list[Any]:
    """All that run a mutant's line, the quickest first.

    A line of a table, or of the runtime, does not run: what has its row, its helper or the line in
    a file does, then
    what runs the functions that name it, and without any what runs something of its file.
    """
    line, top = (mutant.path, mutant.line), mutant.scope.partition(".")[0]
    found = [one for one in stored if line in one.lines]
    if "/runtime/" in mutant.path:
        own = [one for one in stored if top in one.words] or stored
        found = found or [one for one in own if written_at(*line) in one.printed]
    for names in ({mutant.key, top, f"{mutant.path}:{top}"}, {mutant.scope.rpartition(".")[2]}):
        found = found or [one for one in stored if (names - {""}) & one.words]
    if not found:
        lines = {(mutant.path, number) for number in naming(mutant.path, top)}
        found = [one for one in stored if lines & one.lines]
    if not found and "/runtime/" not in mutant.path:
        found = [one for one in stored if any(path == mutant.path for path, _ in one.lines)]
    return found


@cache
def written_at(path: str, number: int) -> str:
    """A line of a file, without what stands in front of it."""
    return (ROOT / path).read_text(encoding="utf-8").splitlines()[number - 1].strip()


@cache
def naming(path: str, name: str) -> frozenset[int]:
    """The lines of a file that use a name."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(
        node.lineno for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == name
    )


def oracle(mutant: Mutant, stored: Sequence[Known], specs: dict[str, Any]) -> int:
    """Compiled = oracle, and every law of `verify` that holds of the unchanged compiler."""
    some = chosen(mutant, stored)
    spent = Spent(SECONDS)
    for one in some:
        compiled_right(one, specs[one.name])
        if spent.more():
            break
    spent = Spent(SECONDS)
    for one in (one for one in some if one.quick):
        quickly(one, specs[one.name])
        if spent.more():
            break
    lawfully = chosen(mutant, [one for one in stored if one.laws])
    spent = Spent(SECONDS)
    for one in various(lawfully):
        lawful(one, specs[one.name], {law for law, took in one.laws.items() if took <= SHORT})
        if spent.more():
            break
    spent = Spent(2 * SECONDS)
    for one in varied(lawfully):
        lawful(one, specs[one.name], {law for law, took in one.laws.items() if took > SHORT})
        if spent.more():
            break
    return len(some)


def quickly(known: Known, spec: Any) -> None:
    """The quick laws that held before hold."""
    from modelwright.backends.verify import verify

    for found in verify(spec, full_size=True, laws=known.quick).findings:
        if not keeps(found, known.costs):
            raise Found(f"law {found.law}: {found.error} at {found.where} on {known.name}")


def varied(some: Sequence[Known]) -> list[Known]:
    """As few of these as try every long law twice."""
    found: list[Known] = []
    times = Counter[str]()
    for one in some:
        long = [law for law, took in one.laws.items() if took > SHORT]
        if any(times[law] < 2 for law in long):
            found.append(one)
            times.update(long)
    return found


class Spent:
    """Has this process had its CPU seconds?"""

    def __init__(self, seconds: float) -> None:
        self.end = time.process_time() + seconds

    def more(self) -> bool:
        return time.process_time() > self.end


def compiled_right(known: Known, spec: Any) -> None:
    """With the same weights by name, every result is the oracle's."""
    import torch
    from oracle.judging import distance, outputs

    import modelwright as mw

    model = mw.compile(spec, dtype="float64", seed=0).eval()
    weights = {name: torch.from_numpy(value) for name, value in known.weights.items()}
    model.load_state_dict(weights, strict=True)
    for data, right in known.cases:
        found = outputs(model, spec, data)
        if found.keys() != right.keys():
            raise Found(f"oracle: other results on {known.name}")
        for name, value in found.items():
            error = distance(value, right[name])
            if not error <= 2 * NEAR:
                raise Found(f"oracle: {name} differs by {error:.1e} on {known.name}")


def lawful(known: Known, spec: Any, laws: set[str]) -> None:
    """These laws, which held before, hold."""
    from modelwright.backends.verify import verify

    found = verify(spec, full_size=True, laws=laws)
    for failure in found.failures:
        raise Found(f"{failure.law}: {failure.where or failure.error} on {known.name}")
    silent = [one.law for one in found.findings if one.error is None]
    if silent:
        raise Found(f"{silent[0]}: says nothing any more on {known.name}")


def writings(mutant: Mutant, stored: Sequence[Known], specs: dict[str, Any]) -> int:
    """A document, and the same one with nothing left to inherit, are one spec; each of its values
    and each default is that of a second resolution.
    """
    from modelwright.backends.verify.compared import disagreements
    from modelwright.backends.verify.levels import Document, meaning, spelled, text_of

    spent, some = Spent(SECONDS), chosen(mutant, stored, most=120)
    for one in some:
        data, files = yaml.safe_load(one.text), _data(one.files)
        plain = Written(one.name, text_of(spelled(data, files)))
        if meaning(read(one)) != meaning(read(plain)):
            raise Found(f"writings: {one.name} spelled out is another spec")
        for wrong in disagreements(read(one), Document(data, files)):
            raise Found(f"levels: {wrong} on {one.name}")
        if spent.more():
            break
    return len(some)


def _data(files: dict[str, str]) -> dict[str, Any]:
    return {name: yaml.safe_load(text) for name, text in files.items()}


def library(mutant: Mutant, stored: Sequence[Folder], specs: dict[str, Any]) -> int:
    """An imported folder computes what the library does, also in training, where dropout
    multiplies by 1 + rate; its spec exports to the same config; and configs are read as before.
    """
    spent, some = Spent(2 * SECONDS), chosen(mutant, stored)
    for one in some:
        as_library(one)
        if spent.more():
            break
    spent = Spent(SECONDS)
    for title in imported_titles(mutant):
        read_as_before(title)
        if spent.more():
            break
    return len(some)


def as_library(one: Folder) -> None:
    """A folder's model, in evaluation and in training, and the config that its spec exports to."""
    import torch
    from judge.calling import distance, ours
    from judge.training import factors

    import modelwright as mw

    model = mw.from_pretrained(one.path, dtype=torch.float32)
    data = {
        name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value
        for name, value in one.data.items()
    }
    for train, array in ((False, one.right), (True, one.trained)):
        if array is None:
            continue
        right = torch.from_numpy(array)
        with factors():
            error = distance(ours(model.train(train), data, one.head, right), right)
        if not error <= TOLERANCE:
            where = "in training " if train else ""
            raise Found(f"library: differs {where}by {error:.1e} on {one.name}")
    if lost := one.exported - exported(one.path):
        raise Found(f"library: {min(lost)} is exported otherwise on {one.name}")


def imported_titles(mutant: Mutant) -> list[str]:
    """Sections of `golden/imported.yaml` whose family needs a mutant's table, in a random order.

    For a file that holds no tables of families: all.
    """
    import test_imported_text

    from modelwright.backends.huggingface.families import HOMES

    words = {f"{mutant.path}:{mutant.scope.partition('.')[0]}"}
    found = [
        title
        for title, config in test_imported_text.SETTINGS.items()
        if words & needed(f"{HOMES[config['model_type']]}.py")
    ]
    found = found or list(test_imported_text.SETTINGS)
    random.Random(mutant.identity).shuffle(found)
    return found


def read_as_before(title: str) -> None:
    """A config of `tests/huggingface/test_imported_text.py` gives the golden text."""
    import tempfile

    import test_imported_text

    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent, "imported")
        folder.mkdir()
        if test_imported_text.imported(title, folder) != test_imported_text.before(title):
            raise Found(f"text: {title} is read otherwise")


Judge = Callable[[Mutant, Sequence[Any], dict[str, Any]], int]
"""How many specs it was tried with."""
