"""Measures the memory of a run by a ledger of storages: `torchrun ledger.py RUN`.

Runs the training script of a run, and writes the bytes of weights, gradients, optimizer state and
activations of this process to RUN/memory-RANK.json, after the second step. Each storage is counted
once and in full.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

run = Path(sys.argv.pop(1)).resolve()
sys.path.insert(0, str(run))
import train  # type: ignore[import-not-found]  # noqa: E402
from parallel import local, rank_and_ranks  # type: ignore[import-not-found]  # noqa: E402


def size(tensors: Iterable[Tensor]) -> int:
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}
    return sum(storages.values())


class Measured(train.Run):  # type: ignore[misc]
    """A run that records its memory in its last step."""

    def step(self, step: int) -> Any:
        saved: dict[int, int] = {}
        objective, optimizer = self.objective, self.optimizers[-1]

        def pack(tensor: Tensor) -> Tensor:
            parts = (local(w.detach()) for w in self.model.parameters())
            weights = {part.untyped_storage().data_ptr() for part in parts}
            kept = local(tensor)
            storage = getattr(kept, "elem", kept).untyped_storage()  # of a sum that is awaited
            if storage.data_ptr() not in weights:
                saved[storage.data_ptr()] = storage.nbytes()
            return tensor

        def measured(inputs: dict[str, Tensor], labels: Tensor) -> Any:
            saved.clear()
            with saved_tensors_hooks(pack, lambda tensor: tensor):
                return objective(inputs, labels)

        weights = list(self.model.parameters())
        gradients: list[int] = []

        def note_gradients(*_: Any) -> None:
            gradients.append(size(local(w.grad) for w in weights if w.grad is not None))

        def step_and_write() -> None:
            type(optimizer).step(optimizer)
            states = [x for o in self.optimizers for s in o.state.values() for x in s.values()]
            found = {
                "weights": size(local(w.data) for w in weights),
                "gradients": gradients[0],
                "optimizer": size(local(x) for x in states if isinstance(x, Tensor)),
                "activations": sum(saved.values()),
            }
            path = run / f"memory-{rank_and_ranks()[0]}.json"
            path.write_text(json.dumps(found), encoding="utf-8")

        self.objective, optimizer.step = measured, step_and_write
        handle = self.optimizers[0].register_step_pre_hook(note_gradients)
        try:
            return super().step(step)
        finally:
            self.objective = objective
            del optimizer.step
            handle.remove()


torch.set_num_threads(1)
train.Run = Measured
train.__file__ = str(run / "train.py")
train.main()
