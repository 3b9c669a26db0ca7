"""Stacks of a compiled model as functions of the model's arguments, for laws and tests."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ...compiler.graph import ModuleGraph, Op

if TYPE_CHECKING:
    from torch import Tensor, nn


def table_of(graph: ModuleGraph, stack: str) -> Op | None:
    """The model's embedding that embeds the ids of a stack.

    None if the stack has its own embedding or reads no tokens.
    """
    others = {hidden for name, hidden in graph.hidden.items() if name != stack}
    for op in graph.ops(""):
        if op.kind != "embedding" or op.outputs[0] in others:
            continue
        readers = {graph.scopes[reader.scope].stack for reader in graph.consumers(op.outputs[0])}
        if stack in readers or op.outputs[0] == graph.hidden[stack]:
            return op
    return None


def hidden_states_of(model: nn.Module, graph: ModuleGraph, stack: str) -> Callable[..., Tensor]:
    """A function that returns the hidden states of a stack, (B, T, D).

    It takes keyword arguments: the model's arguments that the stack reads, hidden states (B, M, D)
    of other stacks, and a cache if the stack has one. They are in its signature.
    """
    if len(graph.hidden) == 1:
        only: Callable[..., Tensor] = model.hidden_states  # type: ignore[assignment]
        return only
    module, table = getattr(model, stack), table_of(graph, stack)
    parameters = list(inspect.signature(module.forward).parameters.values())
    embedding, ids = None, ""
    if table is not None:
        embedding, ids = getattr(model, table.name), graph.values[table.arg("ids")].name
        first = inspect.Parameter(ids, inspect.Parameter.KEYWORD_ONLY)
        if graph.values[table.outputs[0]].optional:
            first = first.replace(default=None)
        parameters = [first, *(p for p in parameters if p.name not in (ids, "x"))]
    reads_ids = ids in inspect.signature(module.forward).parameters

    def call(**given: Any) -> Tensor:
        passed = {n: value for n, value in given.items() if n != ids or reads_ids}
        if embedding is not None and given.get(ids) is not None:
            passed["x"] = embedding(given[ids])
        found: Tensor = module(**passed)
        return found

    named = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    vars(call)["__signature__"] = inspect.Signature(named)
    return call


def memories_of(
    model: nn.Module, graph: ModuleGraph, stack: str, given: Mapping[str, Any]
) -> dict[str, Tensor]:
    """The hidden states of other stacks that a stack reads, (B, M, D) each, by parameter name.

    given: arguments of the model; each stack takes those that it needs
    """
    names = inspect.signature(hidden_states_of(model, graph, stack)).parameters
    found = {}
    for other, hidden in graph.hidden.items():
        readers = {graph.scopes[op.scope].stack for op in graph.consumers(hidden)}
        if other != stack and stack in readers:
            call = hidden_states_of(model, graph, other)
            more = {**given, **memories_of(model, graph, other, given)}
            wanted = inspect.signature(call).parameters
            needed = {name for name, p in wanted.items() if p.default is inspect.Parameter.empty}
            if graph.values[hidden].optional and not needed <= more.keys():
                continue  # its input is absent
            own = (f"{other}_states", f"{other}_memory", "memory")
            name = next(name for name in own if name in names)
            found[name] = call(**{n: value for n, value in more.items() if n in wanted})
    return found
