"""Measure a model in PyTorch: FLOPs of a forward pass, and bytes that autograd saves."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from weakref import ReferenceType, ref

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ...compiler.graph import ModuleGraph
from ...spec.model import ModelSpec
from .arguments import Arguments, Stream

BATCH, TOKENS = 2, 48


class Saved:
    """A weak reference to a tensor that an op saved."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


class Measured:
    """A compiled model with two sequences, for which every stack has `tokens` tokens."""

    def __init__(
        self,
        spec: ModelSpec,
        graph: ModuleGraph,
        module: ModuleType,
        tokens: int = TOKENS,
        dtype: str = "float32",
    ) -> None:
        self.graph, self.module = graph, module
        kind = getattr(torch, dtype)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.model: nn.Module = getattr(module, graph.class_name)().to(kind)
        arguments = Arguments(spec, graph)
        free = [name for name in graph.stack_facts if name not in graph.lengths]
        limits = [int(limit) for name, limit in graph.limits.items() if name in free]
        decided = [int(size) for size in graph.lengths.values()]
        self.tokens = min([tokens, *limits]) if free else decided[-1]
        for joined in graph.parts.values():  # inputs of unknown length are as long as one another
            fixed = sum(int(part.length) for part in joined if part.length is not None)
            unknown = len([part for part in joined if part.length is None])
            self.tokens = max(self.tokens, fixed + 8 * unknown)
            self.tokens -= (self.tokens - fixed) % (unknown or 1)
        taken = inspect.signature(self.model.forward).parameters
        self.data = {
            name: tensor.to(kind) if tensor.is_floating_point() else tensor
            for name, tensor in self._data(arguments)
            if name in taken
        }
        self.labels: dict[Any, Tensor] = {}

    def _data(self, arguments: Arguments) -> Iterator[tuple[str, Tensor]]:
        streams = {stream.ids: stream for stream in arguments.streams()}
        pairs = {
            name: data
            for stack, fact in self.graph.inputs.items()
            for name, data in arguments.of_pairs(fact.argument, BATCH, self._length(stack)).items()
        }
        draw = torch.Generator().manual_seed(0)
        for name, array in arguments.plain().items():
            if name in streams:
                yield name, self._ids(arguments, streams[name], draw)
                continue
            tensor = torch.from_numpy(np.ascontiguousarray(pairs.get(name, array)))
            if self.graph.axes:
                sizes = [tensor.size(0), self.tokens, self.tokens, tensor.size(-1)]
                yield name, torch.randn(sizes, generator=draw)
                continue
            facts = [f for f in self.graph.sources() if f.argument == name]
            if tensor.is_floating_point() and facts and facts[0].kind in ("conv", "features"):
                sizes = list(tensor.shape)
                sizes[facts[0].axis] = facts[0].frames(self._share(name))
                tensor = torch.randn(sizes, generator=draw)
            yield name, tensor

    def _length(self, stack: str) -> int:
        """Number of tokens of a stack."""
        return int(self.graph.lengths.get(stack, self.tokens))

    def _share(self, argument: str) -> int:
        """Number of vectors of an argument: all of a sequence, or its part of it."""
        stacks = self.graph.inputs
        for parts in self.graph.parts.values():
            read = {part.input.argument or stacks[part.input.stack].argument for part in parts}
            if argument in read:
                fixed = sum(int(part.length) for part in parts if part.length is not None)
                return (self.tokens - fixed) // sum(part.length is None for part in parts)
        return self.tokens

    def fits(self, arguments: Arguments) -> bool:
        """Whether all vectors that replace tokens have places in sequences of this length."""
        for stream in arguments.streams():
            needed = sum(self._vectors(s) - skipped for s, _, skipped in arguments.states(stream))
            if needed > self.tokens - sum(arguments.around(stream)):
                return False
        return True

    def _vectors(self, stack: str) -> int:
        """The number of vectors that a stack computes."""
        fact, size = self.graph.inputs[stack], self.graph.lengths.get(stack)
        if size is None and fact.stack:
            return self._vectors(fact.stack) - fact.skip + fact.prefix
        return self.tokens if size is None else int(size)

    def _ids(self, arguments: Arguments, stream: Stream, draw: torch.Generator) -> Tensor:
        """Token ids, of which the first stand for the vectors of other stacks."""
        fact = next(f for f in self.graph.sources() if f.argument == stream.ids)
        shape = (BATCH, self._share(stream.ids) - fact.prefix)
        if not stream.placed:
            return torch.randint(0, stream.rows, shape, generator=draw)
        words = torch.from_numpy(arguments.ordinary(stream))
        ids = words[torch.randint(0, len(words), shape, generator=draw)]
        place = 0
        for stack, token, skipped in arguments.states(stream):
            count = self._vectors(stack) - skipped
            ids[:, place : place + count] = token
            place += count
        return ids

    def flops(self) -> int:
        """FLOPs of one forward pass, by PyTorch's `FlopCounterMode`."""
        self.model.eval()
        math, counter = sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False)
        trained = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.model.requires_grad_(False)  # the counter would hook into views of parameters
        with torch.no_grad(), math, counter:
            self.model(**self.data)
        for weight in trained:
            weight.requires_grad_(True)
        return counter.get_total_flops()

    def loss(self) -> Any:
        """The loss of the model, or its output if it has no loss."""
        result = self.model(**self.data)
        loss: Any = getattr(self.model, "loss", None)
        if loss is None:
            return result
        (head,) = self.graph.heads.values()
        if head.loss.endswith(("pairs", "towers")):
            return loss(result)
        if head.loss == "squares":
            target = self.labels.setdefault(result.shape, torch.zeros_like(result))
            return loss(result, target)
        shape = result.shape[:-1]
        labels = self.labels.setdefault(shape, torch.zeros(shape, dtype=torch.long))
        return loss(result, labels)

    def kept(self) -> int:
        """Bytes that are saved for the backward pass in training.

        Each storage counts once and in full. Parameters and arguments are not counted.
        """
        self.model.train()
        self.loss()  # create the labels
        given = [*self.model.parameters(), *self.data.values(), *self.labels.values()]
        free = {tensor.untyped_storage().data_ptr() for tensor in given}
        saved: list[ReferenceType[Saved]] = []  # freed tensors are not counted
        held: list[Tensor] = []

        def pack(tensor: Tensor) -> Saved:
            saved.append(ref(made := Saved(tensor)))
            return made

        with (
            self.checkpoints(held.append),
            self.ranges(pack),
            torch.autograd.graph.saved_tensors_hooks(pack, lambda made: made.tensor),
        ):
            loss = self.loss()  # keep it alive, as in a training step
        alive = [made.tensor for each in saved if (made := each()) is not None]
        storages = {t.untyped_storage().data_ptr(): t.untyped_storage() for t in (*alive, *held)}
        del loss
        return sum(storage.nbytes() for at, storage in storages.items() if at not in free)

    @contextmanager
    def ranges(self, pack: Callable[[Tensor], Saved]) -> Iterator[None]:
        """Record what tiles save: their own hooks hide those around them."""
        plain = getattr(self.module, "kept_as_ranges", None)
        if plain is None:
            yield
            return

        def kept_as_ranges(*given: Any) -> torch.autograd.graph.saved_tensors_hooks:
            hooks = plain(*given)

            def packed(x: Tensor) -> Any:
                tensor, view = hooks.pack_hook(x)
                return pack(tensor), view

            def unpacked(kept: Any) -> Any:
                made, view = kept
                return hooks.unpack_hook((made.tensor, view))

            return torch.autograd.graph.saved_tensors_hooks(packed, unpacked)

        vars(self.module)["kept_as_ranges"] = kept_as_ranges
        try:
            yield
        finally:
            vars(self.module)["kept_as_ranges"] = plain

    @contextmanager
    def checkpoints(self, note: Any) -> Iterator[None]:
        """Record the tensors that `torch.utils.checkpoint` stores: the arguments of each layer, and
        the masks of tiles among them. Those of a tile are recorded by the hooks.
        """
        plain = getattr(self.module, "checkpoint", None)
        if plain is None:
            yield
            return

        def checkpoint(layer: Any, *arguments: Any, **options: Any) -> Any:
            for tensor in _tensors(arguments) if isinstance(layer, nn.Module) else ():
                note(tensor)
            return plain(layer, *arguments, **options)

        vars(self.module)["checkpoint"] = checkpoint
        try:
            yield
        finally:
            vars(self.module)["checkpoint"] = plain


def _tensors(given: Any) -> Iterator[Tensor]:
    """The tensors among arguments, in tuples and lists too, and the masks of tiles."""
    if isinstance(given, Tensor):
        yield given
    elif isinstance(given, (tuple, list)):
        for each in given:
            yield from _tensors(each)
    elif hasattr(given, "mask"):
        yield from _tensors(given.mask)
