"""A model with one changed field of its `Config` is compared with the spec with that number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from ....compiler.graph import ModuleGraph
from ....spec.model import ModelSpec
from ...oracle import OracleError
from ..arguments import Data
from ..measure import Largest
from ..subject import Subject, weights_for
from .choice import tied_at
from .dropping import Drops, chances, compare_rates, in_training
from .equality import by_oracle
from .fresh import arrays, unlike_spec
from .lengths import LONGEST, of_length
from .losses import compare_routers, router_losses
from .sampling import limit_wrong

Compare = Callable[[Subject, ModelSpec, ModuleGraph, nn.Module, str, Largest], bool]
"""How a model is compared with a spec: whether it could be, and errors go to the last argument."""


def outputs_only(
    subject: Subject,
    spec: ModelSpec,
    graph: ModuleGraph,
    model: nn.Module,
    where: str,
    largest: Largest,
) -> bool:
    """The outputs of a few tokens alone; not where numbers are so far that they overflow."""
    other = _of_spec(subject, spec, graph)
    _load(model, other)
    data = other.data("plain")
    try:
        expected = by_oracle(other, data)
    except OracleError:
        return False
    if tied_at(other, data):
        return False
    for result, values in expected.items():
        if np.isfinite(values).all():
            largest.compare(other.results(data, model)[result], values, f"{where}: {result}")
    return True


def compare(
    subject: Subject,
    spec: ModelSpec,
    graph: ModuleGraph,
    model: nn.Module,
    where: str,
    largest: Largest,
) -> bool:
    """Whether a new model could be compared with another spec; errors go to `largest`.

    Compared are the initial weights, the outputs, at most as many tokens as the spec allows, and
    the outputs in training if the model has dropout. The expected numbers are the oracle's.
    """
    other = _of_spec(subject, spec, graph)
    shapes = {key: tuple(weight.shape) for key, weight in model.state_dict().items()}
    if shapes != {key: weight.shape for key, weight in other.weights.items()}:
        largest.take(float("inf"), f"{where}: the weights differ from those of the spec")
        return True
    for problem in unlike_spec(other, [arrays(model)])[:1]:
        largest.take(float("inf"), f"{where}: initially, {problem}")
    _load(model, other)
    limits = {stack: int(limit) for stack, limit in graph.limits.items()}
    limited = limits != {stack: int(limit) for stack, limit in subject.graph.limits.items()}
    compared = False
    for case, data in _cases(other, limited=limited):
        if tied_at(other, data):
            compared = True
            continue
        try:
            expected = by_oracle(other, data)
        except OracleError:
            continue
        compared = True
        found = other.results(data, model)
        for result, values in expected.items():
            largest.compare(found[result], values, f"{where}{case}: {result}")
        if hasattr(model, "auxiliary_loss"):
            routed = router_losses(other, model, data)
            compare_routers(other, routed, data, f"{where}{case}, losses of routers", largest)
        _in_training(other, model, data, f"{where}{case}, in training", largest)
    if limited and hasattr(model, "generate"):
        size = int(graph.values[next(iter(graph.outputs.values()))].shape[-1].size or 0)
        for problem in limit_wrong(other, model, size):
            largest.take(float("inf"), f"{where}: {problem}")
    return compared


def _of_spec(subject: Subject, spec: ModelSpec, graph: ModuleGraph) -> Subject:
    """The subject of another spec, with weights of its own."""
    return replace(subject, spec=spec, graph=graph, weights=weights_for(graph, 0))


def _load(model: nn.Module, subject: Subject) -> None:
    model.load_state_dict({key: torch.from_numpy(w) for key, w in subject.weights.items()})


def _cases(other: Subject, *, limited: bool) -> Iterator[tuple[str, Data]]:
    """A few tokens, and as many as the spec allows if the field is their number."""
    yield "", other.data("plain")
    arguments = other.arguments
    if limited and arguments.streams():
        longest = max(arguments.limit(stream.ids, LONGEST) for stream in arguments.streams())
        yield f", {longest} tokens", of_length(other, 1, longest)


def _in_training(
    other: Subject, model: nn.Module, data: Data, where: str, largest: Largest
) -> None:
    """Dropout has the rates of the spec: outputs with the same dropout masks are equal."""
    drops = Drops()
    found = in_training(other, model.train(), data, drops)
    model.eval()
    if not drops.rates:
        return
    compare_rates(other, drops, where, largest)
    try:
        expected = by_oracle(other, data, chances)
    except OracleError:
        return
    for result, values in expected.items():
        largest.compare(found[result], values, f"{where}: {result}")
