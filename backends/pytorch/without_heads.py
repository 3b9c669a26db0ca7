"""A model without some of its heads, which shows what they do."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import torch
from torch import Tensor, nn

from ...compiler.graph import ModuleGraph, Op
from .attention_maps import MapsError, known_graph, names_of, unwrapped
from .compile import Source


@dataclass(frozen=True)
class Attention:
    """An attention whose heads an output projection reads.

    module      its module, which layers may share
    projection  name of the linear layer inside it
    heads       number of heads
    """

    module: str
    projection: str
    heads: int


@contextmanager
def without_heads(
    model: nn.Module, heads: Mapping[str, Collection[int]], *, spec: Source | None = None
) -> Iterator[nn.Module]:
    """Context in which heads add nothing to the output of their attention.

        with mw.without_heads(model, {"layers.0.attention": [2, 5]}):
            loss = model.loss(model(ids), labels)

    The values that a head has gathered, (B, T, E), are 0 where the output projection reads them.
    The model is as before when the context ends. Contexts can be nested. Code that `torch.compile`
    has made of the model does not change.

    model, spec: as for `attention_maps`
    heads: attention -> its heads, from 0. Names are those of `attention_maps`

    Raises MapsError for a model without a known spec or from `torch.compile`, and ValueError for an
    unknown attention or head. Source: Michel, Levy and Neubig 2019, arXiv:1905.10650, section 2.2.
    """
    if unwrapped(model) is not model:
        raise MapsError("compiled code ignores hooks: give the model without `torch.compile`")
    graph = known_graph(model, spec, "without_heads")[0]
    found = attentions(graph)
    gates = {name: _gate(found, name, chosen) for name, chosen in heads.items()}
    with ExitStack() as undo:
        for at in dict.fromkeys(found[name] for name in gates):
            names = [name for name, other in found.items() if other == at]
            _remove(model, at, [gates.get(name) for name in names], undo)
        yield model


def attentions(graph: ModuleGraph) -> dict[str, Attention]:
    """The attentions whose heads can be left out, by name; layers that share one have one each."""
    found: dict[str, Attention] = {}
    for op in graph.ops():
        reader = _reader(graph, op)
        if reader is None:
            continue
        heads = graph.values[op.arg("q")].shape[1].size
        assert isinstance(heads, int)
        for name, kept in names_of(graph, op).items():
            module, _, last = kept.rpartition(".")
            map_of = last.removeprefix("weights").replace("_", ".")  # one of several in a module
            found.setdefault(name.removesuffix(map_of), Attention(module, reader.name, heads))
    return found


def _reader(graph: ModuleGraph, op: Op) -> Op | None:
    """The output projection that reads the heads of an attention."""
    if op.kind != "attend" or len(graph.values[op.arg("q")].shape) != 4:
        return None
    found = op
    while found.kind != "linear":
        after = [each for each in graph.consumers(found.outputs[0]) if each.scope == op.scope]
        if len(after) != 1:
            return None
        (found,) = after
    return found


def _gate(found: Mapping[str, Attention], name: str, chosen: Collection[int]) -> Tensor:
    """1 for each head that remains and 0 for the others, (H,)."""
    if name not in found:
        known = ", ".join(found) or "none"
        raise ValueError(f"no attention {name} whose heads can be left out; there are: {known}")
    count = found[name].heads
    for head in chosen:
        if not 0 <= head < count:
            raise ValueError(f"{name} has heads 0 to {count - 1}, not {head}")
    gate = torch.ones(count)
    gate[list(chosen)] = 0
    return gate


def _remove(model: nn.Module, at: Attention, gates: list[Tensor | None], undo: ExitStack) -> None:
    """Register hooks until `undo`. Layers that share the module take their gates in turn."""
    turn, current = cycle(gates), gates[:1]

    def begin(*_: Any) -> None:
        current[0] = next(turn)

    def close(_: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        if current[0] is None:
            return given
        x, gate = given[0], current[0].to(given[0])
        return (x * gate.repeat_interleave(x.size(-1) // len(gate)), *given[1:])

    module = model.get_submodule(at.module)
    undo.callback(module.register_forward_pre_hook(begin).remove)
    projection = module.get_submodule(at.projection)
    undo.callback(projection.register_forward_pre_hook(close).remove)
