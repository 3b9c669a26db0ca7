"""Test every law on a model of a spec."""

from __future__ import annotations

import math
import sys
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from ...compiler import ModuleGraph, lower
from ...spec import load
from ...spec.errors import choices
from ...spec.model import ModelSpec
from ..pytorch import compile as compile_model
from ..pytorch import emit, load_weights
from .arguments import Array
from .laws import LAWS, Law
from .levels import Document, read_document
from .measure import EXACT, NotHere
from .report import Finding, Report
from .shrink import shrink
from .subject import Subject, UnknownError, weights_for

Source = str | Path | ModelSpec


def verify(
    source: Source,
    *,
    weights: str | Path | None = None,
    device: str = "cpu",
    dtype: str = "",
    full_size: bool = False,
    sets: Sequence[str] = (),
    seed: int = 0,
    laws: Collection[str] | None = None,
    thorough: bool = False,
    document: Document | None = None,
    emit: Callable[[ModuleGraph], str] = emit,
    on_law: Callable[[str], None] = lambda what: None,
) -> Report:
    """Test the compiled model of a spec; returns one finding per law.

    The spec is made small first, unless `full_size` or `weights` is given. Random weights never
    have their initial values of 0 or 1.

    weights: checkpoint of the whole model
    dtype: data type to test in addition to float64 and float32
    full_size: test the model at full size
    laws: names of the laws to test; default: all
    thorough: test all lengths, build options and cases of a law instead of a selection
    document: the YAML data of the spec, with `extends` and `sets` applied; default: read if
        `source` is a path
    emit: function from a graph to the source text of its file
    on_law: called with the name of each law before it is tested

    Raises SpecErrors for a bad spec, WeightsError for weights that do not fit, UnknownError for an
    unavailable device or an unknown law.
    """
    _check_device(device)
    names = [law.name for law in LAWS]
    for name in laws or ():
        if name not in names:
            raise UnknownError(f"unknown law `{name}`; {choices(name, names)}")
    spec = source if isinstance(source, ModelSpec) else load(source, sets=tuple(sets))
    if document is None and not isinstance(source, ModelSpec):
        document = read_document(Path(source), sets)
    small = spec if full_size or weights is not None else shrink(spec)
    graph = lower(small)
    with _forgotten(), _threads(1 if small is not spec else torch.get_num_threads()):
        subject = Subject(
            small,
            graph,
            emit(graph),
            weights_for(graph, seed) if weights is None else _stored(graph, weights),
            device,
            dtype,
            thorough,
            document,
            spec,
            emit,
        )
        tried = [law for law in LAWS if laws is None or law.name in laws]
        findings = tuple(_tried(law, subject, on_law) for law in tried)
    return Report(spec.name, _sizes(spec, small, graph), findings)


def _check_device(device: str) -> None:
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UnknownError(f"device {device} is not available: {reason}") from None


def _stored(graph: ModuleGraph, path: str | Path) -> dict[str, Array]:
    model = load_weights(compile_model(graph, dtype="float64"), path)
    return {name: weight.detach().numpy() for name, weight in model.state_dict().items()}


def _tried(law: Law, subject: Subject, on_law: Callable[[str], None]) -> Finding:
    """The finding of a law; an exception is a failure with its location."""
    on_law(law.name)
    begun = time.perf_counter()
    try:
        found = law.measure(subject)
    except Exception as error:
        return Finding(
            law.name,
            law.says,
            holds=False,
            where=_raised(error),
            seconds=time.perf_counter() - begun,
        )
    seconds = time.perf_counter() - begun
    if isinstance(found, NotHere):
        return Finding(law.name, law.says, holds=True, note=found.reason, seconds=seconds)
    bound = found.bound
    if found.error > bound and bound == EXACT and math.isfinite(found.error):
        bound = subject.exact
    holds = found.error <= bound
    return Finding(law.name, law.says, holds, found.error, bound, found.where, found.note, seconds)


def _raised(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(str(error).split())
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    return f"raised {type(error).__name__} at {place}: {text[:200]}"


def _sizes(spec: ModelSpec, small: ModelSpec, graph: ModuleGraph) -> str:
    """`12 layers as 2, d_model 768 as 32, 29,472 weights`."""
    parts = []
    for name, stack in spec.stacks.items():
        after = small.stacks[name]
        which = f"{name}: " if len(spec.stacks) > 1 else ""
        for word, old, new in (
            ("layers", stack.layers, after.layers),
            ("d_model", stack.d_model, after.d_model),
        ):
            parts.append(f"{which}{word} {old:,}" + ("" if old == new else f" as {new:,}"))
    total = sum(_product(weight.shape) for weight in graph.weights())
    return ", ".join([*parts, f"{total:,} weights"])


def _product(shape: tuple[int, ...]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total


@contextmanager
def _forgotten() -> Iterator[None]:
    """Remove modules that are imported in this context from `sys.modules`."""
    before = set(sys.modules)
    try:
        yield
    finally:
        for name in set(sys.modules) - before:
            if name.startswith("modelwright_built."):
                del sys.modules[name]


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Compute with this many threads: on small tensors, others only wait, which takes CPU time."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
