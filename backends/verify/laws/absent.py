"""The law `absent`: an input that is absent is not computed, and the others give the outputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from ...oracle import UnknownOptionError
from ..arguments import Data
from ..measure import Largest, Measured, NotHere
from ..subject import Subject
from .choice import tied_at
from .equality import by_oracle


def absent(subject: Subject) -> Measured | NotHere:
    """Leave out each optional input, and all but one of them."""
    largest = Largest()
    for where, data, gone in _cases(subject):
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
    if not largest.compared:
        return NotHere("all inputs are needed")
    return largest.measured()


def _cases(subject: Subject) -> Iterator[tuple[str, Data, set[str]]]:
    """What is left out, the other data, and the modules that are then without gradients."""
    plain = subject.data("plain")
    for stack, parts in subject.graph.parts.items():
        above = "" if len(subject.graph.parts) == len(subject.graph.hidden) == 1 else f"{stack}."
        modules = {p.input.argument: f"{above}{p.input.argument}_embedding." for p in parts}
        names = [p.input.argument for p in parts if p.optional and p.input.argument in plain]
        left = [{name} for name in names] + [{*names} - {name} for name in names]
        for gone in left:
            needed = {p.input.argument for p in parts} - gone
            if gone and needed:
                data = {name: value for name, value in plain.items() if name not in gone}
                where = f"without {' and '.join(sorted(gone))}"
                yield where, data, {modules[name] for name in gone}


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
