"""The law `config`: changing a field of `Config` equals changing the spec."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
import yaml
from torch import nn

from ....compiler import lower
from ....compiler.display import show
from ....compiler.graph import ModuleGraph
from ....compiler.sizes import Field, number
from ....spec import SpecErrors, loads
from ....spec.model import ModelSpec
from ..arguments import LENGTHS
from ..levels import text_of
from ..measure import Largest, Measured, NotHere
from ..subject import Subject
from .configured import Compare, compare, outputs_only
from .dropping import rate_fields

FAR = 64
"""How many times larger or smaller a fraction becomes, beside small changes."""


def config(subject: Subject) -> Measured | NotHere:
    """Changing a `Config` field equals changing the spec with `--set`.

    One field is changed at a time, and the document wherever its number is written: the weights
    must have the shapes of the changed spec, and the outputs must be those of the oracle. A field
    that the language computes from the changed one must not keep its old value, and its formula
    must give the number of the graph. Numbers in mask
    formulas, numbers that cannot change alone and those that the Config refuses are left out.
    Fractions also become far larger and smaller, and nearly 1, where limits take effect. Layers
    become both more and fewer.
    """
    document = yaml.safe_load(show(subject.spec))
    if outlines(loads(text_of(document))) != outlines(subject.spec):
        return NotHere("the small spec cannot be written as YAML")
    largest, tried = Largest(), 0
    for field in subject.graph.fields:
        if field.formula is not None:
            own = getattr(subject.module.Config(), field.name)
            largest.compare(np.array(own), np.array(field.value), f"Config().{field.name}")
        if field.name not in subject.module.Config.__dataclass_fields__:
            continue
        if isinstance(field.value, bool) or not isinstance(field.value, (int, float)):
            continue
        changes = map(partial(_tried, subject, document, field, largest), _others(field))
        if any([*changes] if field.key == "layers" else changes):
            tried += 1
            _refused(subject, document, field, largest)
            for value in _far(field):
                _tried(subject, document, field, largest, value, outputs_only)
    tried += _initial_std(subject, largest)
    if not tried:
        return NotHere("no Config field can be changed independently")
    return largest.measured(f"{tried} fields")


def _refused(subject: Subject, document: Any, field: Field, largest: Largest) -> None:
    """What the language refuses, Config refuses too: counts below 1, signs, rates of 1 or more."""
    rates = (1.0, 2.0) if field.name in rate_fields(subject.graph) else ()
    whole = isinstance(field.value, int)
    counts = (-1,) if field.name.endswith("_id") else (-1, 0)  # 0 may be an id, but not a count
    for value in counts if whole else (-0.5, float("nan"), *rates):
        taken = next(with_number(document, field, value), None) is not None
        try:
            subject.module.Config(**{field.name: value})
        except ValueError:
            found = False
        else:
            found = True
        if (found and not taken) or (found != taken and not whole):
            words = f"is {'taken' if found else 'refused'}, but not by the language"
            largest.take(float("inf"), f"Config({field.name}={value:g}) {words}")


def _initial_std(subject: Subject, largest: Largest) -> int:
    """The standard deviation of initial weights, which no op of the graph has."""
    if "init_std" not in subject.module.Config.__dataclass_fields__:
        return 0
    init = subject.spec.init
    std = init.std * 1.5  # type: ignore[union-attr]
    spec = subject.spec.model_copy(update={"init": init.model_copy(update={"std": std})})
    return _compare_config(subject, spec, lower(spec), ("init_std", std), largest)


def outlines(spec: ModelSpec) -> Any:
    """The data of a spec without its family, which is optional."""
    data = spec.model_dump(mode="json", by_alias=True)
    return {key: value for key, value in data.items() if key != "family"}


def _others(field: Field) -> tuple[float, ...]:
    """Other numbers for a field, of the same kind: some sizes must be even, some divide others."""
    value = number(field.value)
    if isinstance(value, float):
        return (value * 0.75,)
    if field.key == "layers":  # what a layer does may depend on its number
        return (value + 1, value - 1)
    return (value + 1, value * 2, value - 1)


def _far(field: Field) -> tuple[float, ...]:
    """Far from the number: what a file cuts off or clamps depends on such numbers."""
    value = number(field.value)
    return (value * FAR, value / FAR, 1 + 1 / FAR) if isinstance(value, float) else ()


def _tried(
    subject: Subject,
    document: Any,
    field: Field,
    largest: Largest,
    value: float,
    compared: Compare = compare,
) -> bool:
    """Whether a field could be changed to a value; the error goes to `largest`."""
    for spec in with_number(document, field, value):
        graph = lower(spec)
        if {f.name for f in graph.fields} != {f.name for f in subject.graph.fields}:
            continue  # what was one number is two, or the other way round
        if _crowded(graph) and not _crowded(subject.graph):
            continue  # such as an image whose patches take the positions of the text
        if field.key == "layers" and (_mixes_kinds(spec) or _mixes_kinds(subject.spec)):
            continue  # the order of several kinds of layers is not a number
        return _compare_config(subject, spec, graph, (field.name, value), largest, compared)
    return False


def _crowded(graph: ModuleGraph) -> bool:
    """Whether the joined inputs of a stack leave no position for a sequence of its longest case."""
    longest = LENGTHS[0][0]
    return any(
        sum(longest if part.length is None else int(part.length) for part in parts)
        > int(graph.limits[stack])
        for stack, parts in graph.parts.items()
        if stack in graph.limits
    )


def _mixes_kinds(spec: ModelSpec) -> bool:
    return any(len(set(stack.order)) > 1 for stack in spec.stacks.values())


def with_number(document: Any, field: Field, new: float) -> Iterator[ModelSpec]:
    """The specs of a document with another number for a field, as far as the language takes them.

    The number stands at the places of the field; what follows from it may stand at more places,
    where the same key has the same value.
    """
    placed, key = copy.deepcopy(document), ""
    for place in field.places:
        if _put(placed, place, field.value, new):
            key = str(place[-1])
    if not key:
        return
    for changed in (placed, _replaced(document, key, number(field.value), new)):
        if changed == document:  # an element of a list has no key
            continue
        try:
            spec = loads(text_of(changed))
            lower(spec)
        except SpecErrors:
            continue
        yield spec


def _put(document: Any, place: tuple[Any, ...], old: Any, new: float) -> bool:
    """Replace the number at a path of a document; returns whether it was there."""
    if place[:1] == ("stacks",) and "stacks" not in document:
        place = place[1:]
    for step in place[:-1]:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return False
    last = place[-1]
    there = document.get(last) if isinstance(document, dict) else None
    if isinstance(document, list) and isinstance(last, int) and last < len(document):
        there = document[last]
    if not _same_number(there, old):
        return False
    document[last] = new
    return True


def _same_number(value: Any, old: Any) -> bool:
    """YAML 1.1 reads `1e-6` as a text."""
    try:
        return not isinstance(value, bool) and float(value) == number(old)
    except (TypeError, ValueError):
        return False


def _replaced(data: Any, key: str, old: float, new: float) -> Any:
    """A document in which a key has a new value wherever it had the old one."""
    if isinstance(data, dict):
        return {
            name: new
            if name == key and _same_number(value, old)
            else _replaced(value, key, old, new)
            for name, value in data.items()
        }
    return [_replaced(value, key, old, new) for value in data] if isinstance(data, list) else data


def _compare_config(
    subject: Subject,
    spec: ModelSpec,
    graph: ModuleGraph,
    changed: tuple[str, float],
    largest: Largest,
    compared: Compare = compare,
) -> bool:
    """Whether the Config takes a number; how far the model is from that of the spec."""
    name, value = changed
    where = f"Config({name}={value:g})"
    before = {field.name: field for field in subject.graph.fields}
    fields = subject.module.Config.__dataclass_fields__
    for field in graph.fields:
        other = before[field.name]
        if field.name == name or field.name not in fields or field.value == other.value:
            continue
        if _stands_in(field, spec):
            return False  # two numbers of the spec have changed
        words = f"{where}: {field.name} stays {other.value}, but is {field.value} in the spec"
        largest.take(float("inf"), words)
        return True
    made = _made(subject, name, value)
    return made is not None and compared(subject, spec, graph, made, where, largest)


def _made(subject: Subject, name: str, value: float) -> nn.Module | None:
    """A new model with another value of one field; None if the Config refuses it."""
    kind = getattr(subject.module, subject.graph.class_name)
    try:
        config = subject.module.Config(**{name: value})
    except ValueError:
        return None
    default = torch.get_default_dtype()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        try:
            torch.set_default_dtype(torch.float64)
            model: nn.Module = kind(config)
        except ValueError:
            return None
        finally:
            torch.set_default_dtype(default)
    return model.to(subject.device).eval()


def _stands_in(field: Field, spec: ModelSpec) -> bool:
    """Whether a number is written in the spec, and not computed from others."""
    document = yaml.safe_load(show(spec))
    return any(_put(document, place, field.value, number(field.value)) for place in field.places)
