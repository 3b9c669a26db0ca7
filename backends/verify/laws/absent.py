"""The law `absent`: an input that is absent is not computed, and the others give the outputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from ....compiler.facts import PartFact
from ....spec.embedding import StackInput
from ....spec.model import ModelSpec
from ...oracle import UnknownOptionError
from ..arguments import Data
from ..measure import Largest, Measured, NotHere
from ..shrink_sizes import parts_of
from ..subject import Subject
from .choice import tied_at
from .equality import by_oracle
from .losses import RouterLosses, router_losses


def absent(subject: Subject) -> Measured | NotHere:
    """Leave out each optional input, all but one of them, and vectors that replace tokens."""
    largest = Largest()
    for where, data, gone in [*_cases(subject), *_without_vectors(subject)]:
        if not tied_at(subject, data):
            found = subject.results(data)
            for judge in (subject.reference, lambda d: by_oracle(subject, d)):
                try:
                    expected = judge(data)
                except UnknownOptionError:
                    continue
                for name, value in expected.items():
                    largest.compare(found[name], value, f"{where}: {name}")
        _without_gradients(subject, data, gone, where, largest)
        if hasattr(subject.model, "auxiliary_loss"):
            watch = RouterLosses()
            subject.reference(data, watch=watch)
            kept = router_losses(subject, subject.fresh(), data)
            largest.compare(kept, [watch.total], f"{where}: the losses of routers")
    if not largest.compared:
        return NotHere("all inputs are needed")
    return largest.measured()


def _cases(subject: Subject) -> Iterator[tuple[str, Data, set[str]]]:
    """What is left out, the other data, and the modules that are then without gradients."""
    plain, spec = subject.data("plain"), subject.spec
    for stack, parts in subject.graph.parts.items():
        above = "" if len(subject.graph.parts) == len(subject.graph.hidden) == 1 else f"{stack}."
        names = [part.input.argument or part.input.stack for part in parts]
        read = [_read_by(spec, part) for part in parts]
        optional = [n for n, part in enumerate(parts) if part.optional and read[n][0] & {*plain}]
        left = [{n} for n in optional] + [{*optional} - {n} for n in optional]
        for gone in left:
            needed = [read[n] for n in range(len(parts)) if n not in gone]
            if not gone or not needed:
                continue
            kept, stacks = (set[str]().union(*found) for found in zip(*needed, strict=True))
            absent = set[str]().union(*(read[n][0] for n in gone)) - kept
            unused = set[str]().union(*(read[n][1] for n in gone)) - stacks
            data = {name: value for name, value in plain.items() if name not in absent}
            where = f"without {' and '.join(sorted(names[n] for n in gone))}"
            modules = {f"{above}{names[n]}_embedding." for n in gone}
            yield where, data, modules | {f"{one}." for one in unused}


def _read_by(spec: ModelSpec, part: PartFact) -> tuple[set[str], set[str]]:
    """The arguments that an input comes from, and the stacks that compute it."""
    if part.input.argument:
        return {part.input.argument}, set()
    stacks, waiting = set[str](), [part.input.stack]
    while waiting:
        name = waiting.pop()
        stacks.add(name)
        waiting += _read_stacks(spec, name) - stacks
    return {argument for name in stacks for argument in _arguments(spec, name)}, stacks


def _without_vectors(subject: Subject) -> Iterator[tuple[str, Data, set[str]]]:
    """Without the inputs of each stack whose vectors only replace tokens, and without such tokens.

    Which they are follows from the spec, not from the graph.
    """
    plain, spec = subject.data("plain"), subject.spec
    for name in spec.stacks:
        if not _only_replaces(spec, name):
            continue
        gone = {a for one in _feeding(spec, name) for a in _arguments(spec, one)}
        if not gone:  # computed from what others read too
            continue
        data = {key: value for key, value in plain.items() if key not in gone}
        for stream in subject.arguments.streams():
            ids, ordinary = data.get(stream.ids), subject.arguments.ordinary(stream)[0]
            if ids is not None:
                tokens = np.array([source.replace for source in _sources(spec, name)])
                data[stream.ids] = np.where(np.isin(ids, tokens), ordinary, ids)
        yield f"without the vectors of {name}", data, set()


def _sources(spec: ModelSpec, name: str) -> list[StackInput]:
    """The inputs of other stacks that are the output of this one."""
    inputs = [source for stack in spec.stacks.values() for source in stack.input]
    return [one for one in inputs if isinstance(one, StackInput) and one.stack == name]


def _memories(spec: ModelSpec, name: str) -> set[str]:
    """The stacks that this one attends to."""
    found = (getattr(part, "memory", None) for part in parts_of(spec.stacks[name]))
    return {memory for memory in found if memory}


def _only_replaces(spec: ModelSpec, name: str) -> bool:
    """Whether the output of a stack does nothing but replace tokens of others."""
    attended = any(name in _memories(spec, other) for other in spec.stacks)
    sources = _sources(spec, name)
    replaces = bool(sources) and all(one.replace is not None for one in sources)
    return replaces and not attended and name not in _under_heads(spec)


def _under_heads(spec: ModelSpec) -> set[str]:
    """The stacks whose outputs a head reads, or the model returns."""
    if not spec.heads:
        return {list(spec.stacks)[-1]}
    read = set[str]()
    for head in spec.heads.values():
        own = getattr(head, "stack", None) or list(spec.stacks)[-1]
        read |= set(getattr(head, "towers", None) or [own])
    return read


def _read_stacks(spec: ModelSpec, name: str) -> set[str]:
    """The stacks that this one attends to or whose outputs are its input."""
    inputs = {one.stack for one in spec.stacks[name].input if isinstance(one, StackInput)}
    return inputs | _memories(spec, name)


def _feeding(spec: ModelSpec, name: str) -> set[str]:
    """A stack, and those that only it and they read or attend to."""
    found, waiting = set[str](), [name]
    while waiting:
        one = waiting.pop()
        found.add(one)
        for below in _read_stacks(spec, one) - _under_heads(spec):
            readers = {other for other in spec.stacks if below in _read_stacks(spec, other)}
            waiting += [below] if readers <= found else []
    return found


def _arguments(spec: ModelSpec, name: str) -> list[str]:
    inputs = spec.stacks[name].input
    found = [getattr(source, "argument", None) for source in inputs]
    found += [argument for source in inputs for argument in getattr(source, "add", ())]
    return [argument for argument in found if argument]


def _without_gradients(
    subject: Subject, data: Data, gone: set[str], where: str, largest: Largest
) -> None:
    model = subject.fresh()
    found = model(**subject.tensors(data))
    values = found.values() if isinstance(found, dict) else [found]
    total: Any = torch.stack([value.sum() for value in values]).sum()
    total.backward()
    for name, weight in model.named_parameters():
        tied = name.endswith("token_embedding.weight") and subject.graph.heads
        if name.startswith(tuple(gone)) and weight.grad is not None and not tied:
            largest.take(float("inf"), f"{where}: {name} has a gradient")
