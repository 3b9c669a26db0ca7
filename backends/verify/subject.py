"""A model under test: graph, compiled model, weights and data."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...compiler import lower
from ...compiler.graph import ModuleGraph
from ...spec.model import ModelSpec
from ..pytorch import emit, import_text
from ..pytorch.calls import hidden_states_of, memories_of
from ..reference import random_weights, run
from ..reference.interpreter import Watch, unchanged
from .arguments import Arguments, Array, Data, Stream
from .choices import MARGINS, Choices
from .levels import Document
from .measure import EXACT
from .rounding import STEPS, sensitivity
from .shrink import one_of_each

CASES = (
    "plain",
    "padded left",
    "padded right",
    "left, not placed",
    "right, not placed",
    "every argument",
    "every argument, padded",
    "long",
)


class UnknownError(ValueError):
    """Something cannot be tested: an unavailable device, an unknown law, a size."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A model under test. Its parts are computed once, and laws do not change them.

    spec: the spec, for laws that need more than the ops
    text: source of the emitted file
    weights: by logical name, representable in float32
    thorough: whether laws test everything instead of a selection
    document, whole: the document and the spec before it was made small, if known
    emit: function from the graph to the source of the file
    """

    spec: ModelSpec
    graph: ModuleGraph
    text: str
    weights: dict[str, Array]
    device: str = "cpu"
    dtype: str = ""
    thorough: bool = False
    document: Document | None = None
    whole: ModelSpec | None = None
    emit: Callable[[ModuleGraph], str] = emit

    @cached_property
    def module(self) -> ModuleType:
        return import_text(self.text, self.graph.name)

    @cached_property
    def arguments(self) -> Arguments:
        return Arguments(self.spec, self.graph)

    # -- models

    @cached_property
    def model(self) -> nn.Module:
        """The model in float64 and eval mode, with these weights."""
        return self.fresh("float64")

    def fresh(self, dtype: str = "float64") -> nn.Module:
        """A separate model, which a law may change."""
        kind = getattr(torch, dtype)
        before = torch.get_default_dtype()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            try:
                torch.set_default_dtype(torch.float32 if kind.itemsize < 4 else kind)
                model: nn.Module = getattr(self.module, self.graph.class_name)()
            finally:
                torch.set_default_dtype(before)
        state = {name: torch.from_numpy(weight).to(kind) for name, weight in self.weights.items()}
        model.load_state_dict(state, strict=False)  # the law `weights` reports the difference
        return model.to(self.device, kind).eval()

    @cached_property
    def shallow(self) -> Subject:
        """The same model with one layer of each kind, for slow laws."""
        spec = one_of_each(self.spec)
        if spec == self.spec or self.thorough:
            return self
        graph = lower(spec)
        weights = weights_for(graph, 0)
        return replace(self, spec=spec, graph=graph, text=self.emit(graph), weights=weights)

    # -- data

    def data(self, case: str) -> Data:
        """The arguments of one case."""
        return _cases(self.arguments)[case]()

    def tensors(self, data: Data, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
        """The arguments as tensors; floats in the dtype of the weights."""
        found = {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in data.items()}
        return {
            name: (tensor.to(dtype) if tensor.is_floating_point() else tensor).to(self.device)
            for name, tensor in found.items()
        }

    # -- results

    def results(self, data: Data, model: nn.Module | None = None) -> dict[str, Tensor]:
        """The outputs of the model by name."""
        model = model or self.model
        dtype = next((w.dtype for w in model.parameters()), torch.float64)
        with torch.no_grad():
            found = model(**self.tensors(data, dtype))
        return self.named(found)

    def named(self, found: Any) -> dict[str, Tensor]:
        return found if isinstance(found, dict) else {next(iter(self.graph.outputs)): found}

    def reference(
        self, data: Data, weights: dict[str, Array] | None = None, watch: Watch = unchanged
    ) -> dict[str, Array]:
        """The outputs of the reference for these data."""
        found = run(self.graph, weights or self.weights, data, watch)
        return {name: found[name] for name in self.graph.outputs}

    def choices(self, data: Data, weights: dict[str, Array] | None = None) -> Choices:
        """The choices of the reference, their margins, and the largest values."""
        heard = Choices()
        self.reference(data, weights, heard)
        return heard

    def sensitivity(
        self,
        dtype: str,
        weights: dict[str, Array] | None = None,
        data: Iterable[Data] = (),
        *,
        rerouted: bool = False,
    ) -> float:
        """The effect of rounding everything once to this dtype.

        data: other cases than the usual ones
        rerouted: also count cases in which a router then chooses other experts
        """
        data = data or [self.data(case) for case in CASES]
        last_place = float(torch.finfo(getattr(torch, dtype)).eps)
        return sensitivity(self.graph, weights or self.weights, data, last_place, rerouted)

    @cached_property
    def exact(self) -> float:
        """The bound in float64; larger for a model that amplifies rounding errors."""
        return max(EXACT, STEPS * self.sensitivity("float64"))

    @property
    def chooses(self) -> bool:
        """Whether the model routes tokens to experts."""
        return any(op.kind in MARGINS for op in self.graph.ops())

    @cached_property
    def references(self) -> dict[str, dict[str, Array]]:
        """The outputs of the reference for each case."""
        return {case: self.reference(self.data(case)) for case in CASES}

    # -- single stacks

    def method(self, stack: str) -> Callable[..., Tensor]:
        """A function from the model's arguments to the hidden states of a stack."""
        return hidden_states_of(self.model, self.graph, stack)

    def is_read(self, stack: str) -> bool:
        hidden = self.graph.hidden[stack]
        return any(
            self.graph.scopes[op.scope].stack not in ("", stack)
            for op in self.graph.consumers(hidden)
        )

    def given(self, stack: str, data: Data) -> dict[str, Any]:
        """The arguments of a stack, including the hidden states of other stacks."""
        dtype = next((w.dtype for w in self.model.parameters()), torch.float64)
        tensors = self.tensors(data, dtype)
        memories = memories_of(self.model, self.graph, stack, tensors)
        known = inspect.signature(self.method(stack)).parameters
        return {name: x for name, x in {**tensors, **memories}.items() if name in known}

    def with_model(self, model: nn.Module, weights: dict[str, Array]) -> Subject:
        """The same subject with a model in another dtype, and its weights."""
        other = replace(self, weights=weights)
        vars(other)["model"] = model
        return other

    def hidden(self, stack: str, data: Data) -> Tensor:
        """The hidden states of a stack, (B, T, D), or of the first of its streams."""
        with torch.no_grad():
            found = self.method(stack)(**self.given(stack, data))
        return found[0] if stack in self.graph.streams else found

    def hidden_of(self, stream: Stream, stack: str, data: Data) -> Tensor:
        """The hidden states of the tokens of a stream, without others in the same sequence."""
        before, after = self.arguments.around(stream)
        found = self.hidden(stack, data)
        return found[:, before : found.size(1) - after]

    def stack_of(self, ids: str) -> str:
        """The stack that reads these token ids."""
        for name, stack in self.spec.stacks.items():
            if any(getattr(source, "argument", "") == ids for source in stack.input):
                return name
        raise KeyError(ids)

    @cached_property
    def cached(self) -> str:
        """The stack with a cache; "" if there is none."""
        found = [self.graph.scopes[op.scope].stack for op in self.graph.keepers()]
        return found[0] if found else ""


def _cases(arguments: Arguments) -> dict[str, Callable[[], Data]]:
    return {
        "plain": arguments.plain,
        "padded left": lambda: arguments.padded("left"),
        "padded right": lambda: arguments.padded("right"),
        "left, not placed": lambda: arguments.unplaced("left"),
        "right, not placed": lambda: arguments.unplaced("right"),
        "every argument": arguments.everything,
        "every argument, padded": lambda: arguments.packed("left"),
        "long": arguments.long,
    }


def weights_for(graph: ModuleGraph, seed: int) -> dict[str, Array]:
    """Random weights, representable in float32; none has its initial constant."""
    drawn = random_weights(graph, seed)
    return {name: weight.astype(np.float32).astype(np.float64) for name, weight in drawn.items()}
