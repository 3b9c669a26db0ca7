"""What is known of the unchanged compiler: small specs, which lines each runs, and right results.

The results are the oracle's, which reads the spec alone. They are worked out once for a tree.
"""

from __future__ import annotations

import pickle
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .areas import CACHE, ROOT, digest
from .tracing import Line, traced

RANDOM = 260
"""Random specs, beside the examples made small and the specs that were written for the oracle."""
SEARCHED, FEW = 1500, 3
"""Random specs beyond these, up to this number, which run a line that fewer than `FEW` of those
before it run."""
LAWFUL = 6
TWICE = 2
"""The laws of `verify` are tried with every sixth of them: seconds each. Also with those that run a
line that fewer than `TWICE` of these before them run."""
COSTS = 0.02
"""Relative: what a report of costs may be off. No mutant may be further off than the unchanged
compiler is, which is mostly a single number of four bytes."""
QUICK = ("costs", "init", "dropout", "loss", "traced")
"""Laws that are tried with every spec: a fault of theirs shows on few, and in no result."""
NEAR = 1e-9
"""Relative; a fault moves a number by more, and sums that vanish lose digits."""
LEFT_OUT = {"compile", "export", "dtype", "oracle", "kernels", "costs", "traced"}
"""Laws that take seconds, or say what the oracle has said before."""
Arrays = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True, eq=False)
class Known:
    """A spec that compiles to what the oracle says.

    text, files: as it is written, and the files beside it that it extends
    lines: of the areas, that run when it is read, lowered, emitted with each build option, and
        its costs are counted
    words: kinds of its ops, their words and fractions, and names of the helpers in its file
    printed: the lines of its files, as built without options and with each
    weights, cases: of each case, the arguments and the right results
    laws: those of `verify` that hold, and their seconds
    quick: of the quick ones, those that hold
    costs: how far off the report of costs is
    seconds: to compile it and to run the cases
    """

    name: str
    text: str
    files: dict[str, str]
    lines: frozenset[Line]
    words: frozenset[str]
    weights: Arrays
    cases: tuple[tuple[Arrays, Arrays], ...]
    laws: dict[str, float] = field(default_factory=dict)
    quick: frozenset[str] = frozenset()
    costs: float = COSTS
    printed: frozenset[str] = frozenset()
    seconds: float = 0.0


@dataclass(frozen=True)
class Written:
    """A document: its text, and the texts of files beside it."""

    name: str
    text: str
    files: dict[str, str] = field(default_factory=dict)


def written_specs() -> Iterator[Written]:
    """Every spec that may judge a mutant."""
    from fuzz.specs import written as yaml_of
    from oracle.mended import GROUPS
    from oracle.test_oracle_combinations import SPECS

    import modelwright as mw
    from modelwright.backends.verify.shrink import shrink
    from modelwright.compiler.display import show

    for path in sorted((ROOT / "examples").glob("*.yaml")):
        yield Written(path.stem, show(shrink(mw.load(path))))
    for name, data in SPECS.items():
        yield Written(name, yaml_of(data))
    for group in GROUPS:
        yield from (Written(name, text) for name, text in group.items())
    yield from map(random_written, range(RANDOM))


def random_written(seed: int) -> Written:
    """A random spec."""
    from fuzz.specs import random_spec
    from fuzz.specs import written as yaml_of

    document = random_spec(seed)
    files = {name: yaml_of(data) for name, data in document.files.items()}
    return Written(f"seed {seed}", document.text, files)


def read(written: Written | Known) -> Any:
    """The spec of a document."""
    import tempfile

    from modelwright.spec import load, loads

    if not written.files:
        return loads(written.text)
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**written.files, "main.yaml": written.text}.items():
            Path(folder, name).write_text(text, encoding="utf-8")
        return load(Path(folder, "main.yaml"))


def known(written: Written, *, lawful: bool = True) -> Known | None:
    """None for a spec that is refused, or that says nothing: the oracle does not know it."""
    import inspect

    from oracle.judging import CASES, arguments, compiled, distance, numpy_weights, outputs

    from modelwright.backends.oracle import OracleError, run
    from modelwright.backends.pytorch import emit_file
    from modelwright.backends.verify.draws import drawn
    from modelwright.compiler import lower
    from modelwright.compiler.report import report
    from modelwright.spec import SpecErrors

    with traced() as lines:
        try:
            spec = read(written)
            graph = lower(spec)
        except SpecErrors:
            return None
        text, others = emit_file(graph).text, [*built(spec, graph)]
        report(graph)
    printed = lines_of(text, *others)
    begun = time.process_time()
    model = compiled(spec)
    parameters, weights = set(inspect.signature(model.forward).parameters), numpy_weights(model)
    cases = []
    spent = time.process_time() - begun
    for case in CASES:
        data = arguments(spec, parameters, case)
        try:
            with np.errstate(all="ignore"):
                right = run(spec, weights, data, drawn)
        except OracleError:
            return None
        begun = time.process_time()
        found = outputs(model, spec, data)
        spent += time.process_time() - begun
        near = all(distance(value, right[name]) <= NEAR for name, value in found.items())
        if near and not any(same(data, other) for other, _ in cases):
            cases.append((data, {name: right[name] for name in found}))
    laws = holding(spec) if lawful else {}
    quick, costs = quickly_held(spec)
    return Known(written.name, written.text, written.files, frozenset(lines), words_of(graph, text),
                 weights, tuple(cases), laws, quick, costs, printed, spent)  # fmt: skip


def built(spec: Any, graph: Any) -> Iterator[str]:
    """The files of a spec with each build option that is possible, and with all."""
    from modelwright.backends.pytorch import emit_file
    from modelwright.backends.verify.laws.building import combinations
    from modelwright.backends.verify.subject import Subject

    for options in combinations(Subject(spec, graph, "", {})):
        yield emit_file(graph, options).text


def lines_of(*texts: str) -> frozenset[str]:
    """The lines of some files, without what stands in front of them."""
    return frozenset(line.strip() for text in texts for line in text.splitlines())


def words_of(graph: Any, text: str) -> frozenset[str]:
    """Keys under which tables have a row for a graph, values of its ops that are no sizes, and what
    its file defines.
    """
    words = {op.kind for op in graph.ops()} | defined(text)
    words |= {value for op in graph.ops() for value in op.attrs.values() if isinstance(value, str)}
    words |= {
        f"{name}={value}"
        for op in graph.ops()
        for name, value in op.attrs.items()
        if isinstance(value, (bool, float))
    }
    words |= {word for head in graph.heads.values() for word in (head.kind, head.loss, head.pool)}
    return frozenset(words | {graph.init.kind})


def quickly_held(spec: Any) -> tuple[frozenset[str], float]:
    """The quick laws that hold; costs are as near as their page says, and how near they are."""
    from modelwright.backends.verify import verify

    found = verify(spec, full_size=True, laws=QUICK).findings
    costs = next(one.error for one in found if one.law == "costs")
    held = frozenset(one.law for one in found if keeps(one))
    return held, COSTS if costs is None else float(costs)


def keeps(finding: Any, costs: float = COSTS) -> bool:
    near = finding.law != "costs" or (finding.error is not None and finding.error <= costs + 1e-9)
    return bool(finding.holds and finding.error is not None and near)


def same(one: Arrays, other: Arrays) -> bool:
    return one.keys() == other.keys() and all(
        np.array_equal(one[name], other[name]) for name in one
    )


def defined(text: str) -> set[str]:
    """The classes, functions and methods of a file."""
    import ast

    kinds = (ast.ClassDef, ast.FunctionDef)
    return {node.name for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)}


def holding(spec: Any) -> dict[str, float]:
    """The laws of `verify` that say something about a spec, and hold."""
    from modelwright.backends.verify import LAWS, verify

    tried = {law.name for law in LAWS} - LEFT_OUT
    found = verify(spec, full_size=True, laws=tried)
    return {one.law: one.seconds for one in found.findings if one.holds and one.error is not None}


def make(path: Path = CACHE / "specs") -> None:
    """Work out what is known of every spec that is not known yet."""
    import torch

    torch.manual_seed(0)
    path.mkdir(parents=True, exist_ok=True)
    times, lawful = Counter[Line](), Counter[Line]()

    def take(number: int, written: Written) -> None:
        lines = run_by(written)
        rare = any(lawful[line] < TWICE for line in lines)
        found = _made(path, number, written, lawful=rare or number % LAWFUL == 0)
        times.update(found.lines if found else ())
        lawful.update(found.lines if found and found.laws else ())

    for number, written in enumerate(written_specs()):
        take(number, written)
    for seed in range(RANDOM, SEARCHED):
        written = random_written(seed)
        if any(times[line] < FEW for line in run_by(written)):
            take(MORE + seed, written)


MORE = 5000
"""Numbers of the files of specs that were searched begin here."""


def _made(path: Path, number: int, written: Written, *, lawful: bool) -> Known | None:
    """What is known of a spec, from its file or new."""
    out, state = path / f"{number:04}.pickle", (written, digest())
    if out.exists():
        before, found = pickle.loads(out.read_bytes())
        if before == state:
            return found  # type: ignore[no-any-return]
    found = known(written, lawful=lawful)
    out.write_bytes(pickle.dumps((state, found)))
    took = f"{found.seconds:.2f} s, laws {sum(found.laws.values()):.1f} s" if found else "no"
    print(f"{written.name}: {took}", flush=True)
    return found


def run_by(written: Written) -> set[Line]:
    """The lines that run when a spec is read, lowered and emitted; none if it is refused."""
    from modelwright.backends.pytorch import emit_file
    from modelwright.compiler import lower
    from modelwright.spec import SpecErrors

    with traced() as lines:
        try:
            emit_file(lower(read(written)))
        except SpecErrors:
            return set()
    return lines


def stored(path: Path = CACHE / "specs") -> list[Known]:
    """What is known, the quickest first."""
    read = [pickle.loads(one.read_bytes()) for one in sorted(path.glob("*.pickle"))]
    found = [one for (_, state), one in read if one and state == digest()]
    return sorted(found, key=lambda one: one.seconds)
