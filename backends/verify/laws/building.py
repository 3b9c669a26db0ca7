"""Laws of the file: build options, `Config` and shared weights."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import torch
import yaml
from torch import nn

from ....compiler import lower
from ....compiler.display import show
from ....compiler.graph import ModuleGraph
from ....compiler.passes.keep_weights import why_no_weights
from ....compiler.sizes import Field, number
from ....spec import SpecErrors, loads
from ....spec.model import ModelSpec
from ...oracle import OracleError
from ...pytorch import BuildOptions, emit_file
from ...pytorch.grouped import why_not_grouped
from ...pytorch.static import why_not_static
from ..arguments import Array, Data
from ..measure import Largest, Measured, NotHere, as_array
from ..subject import Subject, weights_for
from .cached import steps
from .choice import tied_at
from .derivatives import total
from .equality import FLOOR, by_oracle
from .fresh import initial
from .generating import generation

# -- build options


def options(subject: Subject) -> Measured | NotHere:
    """All build options give the same weight names, outputs, cached steps, tokens and gradients.

    Tested are each option by itself and all together; with `thorough`, all combinations.
    """
    largest, tried = Largest(), []
    for chosen in combinations(subject):
        other = _built(subject, chosen)
        words = " ".join(chosen.words())
        tried.append(words)
        _same(subject, other, words, largest)
    if not why_not_grouped(subject.graph) and hasattr(torch.nn.functional, "grouped_mm"):
        tried.append("--experts grouped")
        _same_experts(subject, largest)
    return largest.measured(f"{len(tried)} combinations")


def _same_experts(subject: Subject, largest: Largest) -> None:
    """`--experts grouped` equals `split`, in float32, because `grouped_mm` lacks float64."""
    other = _built(subject, BuildOptions(experts="grouped"))
    models = [one.fresh("float32") for one in (subject, other)]
    apart = Largest()
    for case in ("plain", "padded left"):
        data = subject.data(case)
        expected, found = (subject.results(data, model) for model in models)
        for name, value in found.items():
            apart.compare(value, expected[name], f"--experts grouped, {case}: {name}")
    if apart.error > FLOOR["float32"]:
        largest.take(apart.error, apart.where)


def combinations(subject: Subject) -> list[BuildOptions]:
    """The option combinations that are possible for the model, without the default."""
    names = [f.name for f in dataclasses.fields(BuildOptions) if f.default is False]
    reasons = {
        "static_cache": why_not_static(subject.graph),
        "attention_weights": why_no_weights(subject.graph),
    }
    impossible = {name for name, reason in reasons.items() if reason}
    needs_tiles = any(op.attrs.get("forced") for op in subject.graph.ops())
    found = []
    for values in product((False, True), repeat=len(names)):
        asked: dict[str, Any] = dict(zip(names, values, strict=True))
        count = sum(values)
        most = len(names) - len(impossible)
        if not count or any(asked[name] for name in impossible):
            continue
        if subject.thorough or count in (1, most):
            dense = needs_tiles and any(asked[name] for name in reasons)  # these have no tiles
            found.append(BuildOptions(**asked, kernel="dense" if dense else "auto"))
    return found


def _built(subject: Subject, chosen: BuildOptions) -> Subject:
    """The same model, built with options."""
    text = emit_file(subject.graph, chosen).text
    return replace(subject, text=text)


def _same(subject: Subject, other: Subject, words: str, largest: Largest) -> None:
    stored = {name: value.shape for name, value in other.model.state_dict().items()}
    if stored != {name: value.shape for name, value in subject.model.state_dict().items()}:
        largest.take(float("inf"), f"{words}: names or shapes of weights differ")
        return
    for name, value in other.model.state_dict().items():
        largest.compare(value, subject.weights.get(name, value), f"{words}: {name}")
    for case in ("plain", "padded left"):
        data = subject.data(case)
        if tied_at(subject, data):
            continue
        found, expected = other.results(data), subject.results(data)
        for name, value in found.items():
            largest.compare(value, expected[name], f"{words}, {case}: {name}")
    laws = {"steps": steps(other), "generation": generation(other, training=False)}
    for name, measured in {**laws, "init": initial(other)}.items():
        if isinstance(measured, Measured):
            wrong = float("inf") if name == "init" and measured.error else measured.error
            largest.take(wrong, f"{words}, {name}: {measured.where}")
    _same_training(subject, other, words, largest)


def _same_training(subject: Subject, other: Subject, words: str, largest: Largest) -> None:
    """Outputs in training mode, and the norm of the gradient of all weights.

    Not compared for attention weights with sinks and dropout: the sinks are dropped otherwise.
    """
    sunk = any(op.kind == "attend" and op.arg("sinks") and op.attrs["dropout"] is not None
               for op in subject.graph.ops())  # fmt: skip
    if sunk and "--attention-weights" in words:
        return
    found = []
    for one in (subject, other):
        model = one.fresh().train()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # recomputation must use the same dropout masks
            value = total(one, model, one.data("plain"))()
            value.backward()  # type: ignore[no-untyped-call]
        grads = [w.grad.square().sum() for w in model.parameters() if w.grad is not None]
        found.append([float(value.detach()), float(torch.stack(grads).sum().sqrt())])
    largest.compare(found[1], found[0], f"{words}: training outputs and gradient norm")


# -- Config


def config(subject: Subject) -> Measured | NotHere:
    """Changing a `Config` field equals changing the spec with `--set`.

    Each field is changed alone, and so is the document at the places where it stands: the weights
    have the shapes of the changed spec, and the numbers are those of the oracle. A field that the
    language computes from the changed one must not keep its old value. Left out are numbers that
    stand in a formula of a mask, those that the language forbids to change alone, and those that
    the Config refuses.
    """
    document = yaml.safe_load(show(subject.spec))
    if outlines(loads(written(document))) != outlines(subject.spec):
        return NotHere("the small spec cannot be written as YAML")
    largest, tried = Largest(), 0
    for field in subject.graph.fields:
        if field.name not in subject.module.Config.__dataclass_fields__:
            continue
        if isinstance(field.value, bool) or not isinstance(field.value, (int, float)):
            continue
        if any(map(partial(_tried, subject, document, field, largest), _others(field))):
            tried += 1
    if not tried:
        return NotHere("no Config field can be changed independently")
    return largest.measured(f"{tried} fields")


def outlines(spec: ModelSpec) -> Any:
    """The data of a spec without its family, which is optional."""
    data = spec.model_dump(mode="json", by_alias=True)
    return {key: value for key, value in data.items() if key != "family"}


def _others(field: Field) -> tuple[float, ...]:
    """Other numbers for a field, of the same kind: some sizes must be even, some divide others."""
    value = number(field.value)
    if isinstance(value, float):
        return (value * 0.75,)
    fewer = (value - 1,) if field.key == "layers" and value > 1 else ()
    return (*fewer, value + 1, value * 2, value - 1)


def _tried(subject: Subject, document: Any, field: Field, largest: Largest, value: float) -> bool:
    """Whether a field could be changed to a value; the error goes to `largest`."""
    for spec in with_number(document, field, value):
        graph = lower(spec)
        if {f.name for f in graph.fields} != {f.name for f in subject.graph.fields}:
            continue  # what was one number is two, or the other way round
        if field.key == "layers" and any(len(set(s.order)) > 1 for s in spec.stacks.values()):
            continue  # the order of several kinds of layers is not a number
        return _compare_config(subject, spec, graph, (field.name, value), largest)
    return False


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
        try:
            spec = loads(written(changed))
            lower(spec)
        except SpecErrors:
            continue
        yield spec


def _put(document: Any, place: tuple[Any, ...], old: Any, new: float) -> bool:
    """Exchange the number at a place of a document; whether it stands there."""
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


def written(document: Any) -> str:
    return yaml.safe_dump(document, sort_keys=False)


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
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    kind = getattr(subject.module, subject.graph.class_name)
    try:
        model: nn.Module = kind(subject.module.Config(**{name: value})).to(subject.device).eval()
    except ValueError:
        return False
    finally:
        torch.set_default_dtype(default)
    return _compare_model(replace(subject, spec=spec, graph=graph), model, where, largest)


def _stands_in(field: Field, spec: ModelSpec) -> bool:
    """Is a number written in the spec, and not computed by the language?"""
    document = yaml.safe_load(show(spec))
    return any(_put(document, place, field.value, number(field.value)) for place in field.places)


def _compare_model(other: Subject, model: nn.Module, where: str, largest: Largest) -> bool:
    """Whether a model could be compared with another spec; the error goes to `largest`."""
    weights = _weights(other.graph)
    shapes = {key: tuple(weight.shape) for key, weight in model.state_dict().items()}
    if shapes != {key: weight.shape for key, weight in weights.items()}:
        largest.take(float("inf"), f"{where}: the weights differ from those of the spec")
        return True
    model.load_state_dict({key: torch.from_numpy(w) for key, w in weights.items()})
    other = replace(other, weights=weights)
    data = other.data("plain")
    try:
        expected = by_oracle(other, data)
    except OracleError:
        return False
    if not tied_at(other, data):
        found = other.results(data, model)
        for result, values in expected.items():
            largest.compare(found[result], values, f"{where}: {result}")
    return True


def _weights(graph: ModuleGraph) -> dict[str, Array]:
    return weights_for(graph, 0)


# -- shared weights


def sharing(subject: Subject) -> Measured | NotHere:
    """Each name has its own storage; tied weights and shared layers have one storage.

    Weights that are replaced by `load_state_dict(assign=True)` or in a deep copy affect all their
    uses, and the original model is unchanged.
    """
    largest, model = Largest(), subject.fresh()
    places: dict[int, str] = {}
    for name, weight in model.named_parameters(remove_duplicate=False):
        other = places.setdefault(weight.data_ptr(), name)
        if other != name and weight.numel():
            largest.take(float("inf"), f"{name} is the same tensor as {other}, but is listed twice")
    data = subject.data("plain")
    if tied_at(subject, data):
        return largest.measured() if largest.compared else NotHere("experts tie")
    generator = np.random.default_rng(0)
    others = {
        name: weight * generator.uniform(0.5, 1.5, weight.shape)
        for name, weight in subject.weights.items()
    }
    expected, first = subject.reference(data, others), subject.results(data, model)
    assigned, copied = subject.fresh(), copy.deepcopy(model)
    state = {name: torch.from_numpy(w).to(subject.device) for name, w in others.items()}
    assigned.load_state_dict(state, assign=True)
    copied.load_state_dict(state)
    if not tied_with(subject, data, others):
        for what, one in (("assigned", assigned), ("in a copy", copied)):
            for name, value in subject.results(data, one).items():
                largest.compare(value, expected[name], f"weights {what}: {name}")
    for name, value in subject.results(data, model).items():
        largest.compare(value, as_array(first[name]), f"after a copy was changed: {name}")
    return largest.measured()


def tied_with(subject: Subject, data: Data, weights: dict[str, Array]) -> bool:
    """Whether experts have equal scores with these weights."""
    return subject.chooses and subject.choices(data, weights).margin < 1e-9
