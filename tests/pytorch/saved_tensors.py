"""What autograd keeps of an emitted model, asked from PyTorch: a judge of the cost report.

A storage counts once, with all its bytes. Parameters and arguments are no activations.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import ReferenceType, ref

import numpy as np
import torch
from torch import Tensor, nn

from modelwright.backends.pytorch import emit, import_text
from modelwright.backends.verify.arguments import Arguments
from modelwright.backends.verify.shrink import shrink
from modelwright.compiler import ModuleGraph, lower
from modelwright.spec import ModelSpec, load

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
BATCH, TOKENS = 2, 48


class Saved:
    """A tensor that an op saved; gone when the op is."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


class Measured:
    """A small model of a spec, with data on which every stack has `tokens` tokens."""

    def __init__(self, spec: ModelSpec, tokens: int = TOKENS, dtype: str = "float32", **options):
        self.graph: ModuleGraph = lower(spec)
        self.module = import_text(emit(self.graph, **options), self.graph.name)
        kind = getattr(torch, dtype)
        torch.manual_seed(0)
        self.model: nn.Module = getattr(self.module, self.graph.class_name)().to(kind)
        arguments = Arguments(spec, self.graph)
        limits = [arguments.limit(stream.ids) for stream in arguments.streams()]
        decided = [int(size) for size in self.graph.lengths.values()]
        self.tokens = min([tokens, *limits]) if limits or not decided else decided[-1]
        self.data = {
            name: tensor.to(kind) if tensor.is_floating_point() else tensor
            for name, tensor in self._data(arguments)
        }
        self.labels: dict[Any, Tensor] = {}

    def _data(self, arguments: Arguments) -> Iterator[tuple[str, Tensor]]:
        rows = {stream.ids: stream.rows for stream in arguments.streams()}
        for name, array in arguments.plain().items():
            if name in rows:
                yield name, torch.randint(0, rows[name], (BATCH, self.tokens))
                continue
            tensor = torch.from_numpy(np.ascontiguousarray(array))
            facts = [f for f in self.graph.inputs.values() if f.argument == name]
            if tensor.is_floating_point() and facts and facts[0].kind in ("conv", "features"):
                frames = next(n for n in range(1, 10**6) if facts[0].tokens(n) >= self.tokens)
                shape = list(tensor.shape)
                shape[facts[0].axis] = frames
                tensor = torch.randn(shape)
            yield name, tensor

    def loss(self) -> Any:
        """The loss of the model, or what it gives where its file has none."""
        result = self.model(**self.data)
        if not hasattr(self.model, "loss"):
            return result
        (head,) = self.graph.heads.values()
        if head.loss.endswith("pairs"):
            return self.model.loss(result)
        shape = result.shape[:-1]
        labels = self.labels.setdefault(shape, torch.zeros(shape, dtype=torch.long))
        return self.model.loss(result, labels)

    def kept(self) -> int:
        """Bytes kept between forward and backward in training."""
        self.model.train()
        self.loss()  # makes the labels
        given = [*self.model.parameters(), *self.data.values(), *self.labels.values()]
        free = {tensor.untyped_storage().data_ptr() for tensor in given}
        saved: list[ReferenceType[Saved]] = []  # what the graph drops is freed, and not counted
        held: list[Tensor] = []

        def pack(tensor: Tensor) -> Saved:
            saved.append(ref(made := Saved(tensor)))
            return made

        with (
            self.checkpoints(held.append),
            torch.autograd.graph.saved_tensors_hooks(pack, lambda made: made.tensor),
        ):
            loss = self.loss()  # held while the rest is counted, as a training step holds it
        alive = [made.tensor for each in saved if (made := each()) is not None]
        storages = {t.untyped_storage().data_ptr(): t.untyped_storage() for t in (*alive, *held)}
        del loss
        return sum(storage.nbytes() for at, storage in storages.items() if at not in free)

    @contextmanager
    def checkpoints(self, note: Any) -> Iterator[None]:
        """Hear of what `torch.utils.checkpoint` holds: the arguments of each layer."""
        plain = getattr(self.module, "checkpoint", None)
        if plain is None:
            yield
            return

        def checkpoint(layer: Any, *arguments: Any, **options: Any) -> Any:
            for each in arguments:
                if isinstance(each, Tensor):
                    note(each)
            return plain(layer, *arguments, **options)

        self.module.checkpoint = checkpoint  # type: ignore[attr-defined]
        try:
            yield
        finally:
            self.module.checkpoint = plain  # type: ignore[attr-defined]


def example(name: str, **options: Any) -> Measured:
    return Measured(shrink(load(EXAMPLES / f"{name}.yaml")), **options)
