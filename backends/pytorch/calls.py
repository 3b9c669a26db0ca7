"""The stacks of a built model as functions of the model's own arguments, for laws and tests."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...compiler.graph import ModuleGraph, Op

if TYPE_CHECKING:
    from torch import Tensor, nn


def table_of(graph: ModuleGraph, stack: str) -> Op | None:
    """The model's own embedding of which one of several stacks reads the vectors.

    None where the stack has its own, or reads no tokens.
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
    """The function that gives the hidden states of a stack, (B, T, D).

    It takes, by name, the arguments of the model that the stack reads, the memories (B, M, D) that
    it reads of other stacks, and a cache where it keeps one. Its signature says which.
    """
    if len(graph.hidden) == 1:
        only: Callable[..., Tensor] = model.hidden_states  # type: ignore[assignment]
        return only
    module = getattr(model, stack)
    table = table_of(graph, stack)
    if table is None:
        whole: Callable[..., Tensor] = module
        return whole
    embedding, ids = getattr(model, table.name), graph.values[table.arg("ids")].name
    parameters = list(inspect.signature(module.forward).parameters.values())
    reads_ids = any(one.name == ids for one in parameters)

    def call(**given: Any) -> Tensor:
        x = embedding(given[ids])
        found: Tensor = module(x, **{n: v for n, v in given.items() if reads_ids or n != ids})
        return found

    own = inspect.Parameter(ids, inspect.Parameter.KEYWORD_ONLY)
    rest = [one.replace(kind=own.kind) for one in parameters[1:] if one.name != ids]
    vars(call)["__signature__"] = inspect.Signature([own, *rest])
    return call
