"""Saving and loading of checkpoints; a checkpoint is either complete or absent.

    step-00000100/weights.safetensors    the model
    step-00000100/moments.safetensors    the optimizer state, by weight name
    step-00000100/run.json               the step, and settings that must not change on resuming

They are written to the folder `unfinished`, which is renamed when complete. When a checkpoint is
removed, `run.json` is deleted first: a folder without it is not a checkpoint.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from .files import fail


def find(out: Path) -> list[Path]:
    """The checkpoints of a run, newest last."""
    return sorted(path for path in out.glob("step-*") if (path / "run.json").is_file())


def save(
    path: Path,
    model: nn.Module,
    optimizers: Sequence[Optimizer],
    about: dict[str, Any],
    *,
    keep: int,
) -> str:
    """Write a checkpoint and remove all but the newest `keep`. Returns "" or the reason of a
    failure.
    """
    fresh = path.with_name("unfinished")
    try:
        shutil.rmtree(fresh, ignore_errors=True)  # left by a killed process
        fresh.mkdir(parents=True)
        save_file(model.state_dict(), fresh / "weights.safetensors")
        save_file(moments(model, optimizers), fresh / "moments.safetensors")
        (fresh / "run.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
        for file in fresh.iterdir():
            flush(file)
        remove(path)
        fresh.rename(path)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(fresh, ignore_errors=True)
        free = shutil.disk_usage(path.parent).free / 2**20
        return f"{path} could not be written ({free:,.0f} MiB free): {error}"
    kept = find(path.parent)[-keep:]
    for old in set(path.parent.glob("step-*")) - set(kept):
        remove(old)
    return ""


def remove(path: Path) -> None:
    """Remove a checkpoint, even one that was partly removed."""
    (path / "run.json").unlink(missing_ok=True)
    shutil.rmtree(path, ignore_errors=True)


def flush(path: Path) -> None:
    """Force a file to be written to disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def load(path: Path, model: nn.Module, optimizers: Sequence[Optimizer]) -> None:
    """Load weights and optimizer state. Learning rates and weight decay are not changed."""
    load_weights(model, path / "weights.safetensors")
    stored: dict[str, dict[str, Tensor]] = {}
    for name, tensor in read(path / "moments.safetensors").items():
        weight, _, key = name.rpartition(".")
        stored.setdefault(weight, {})[key] = tensor
    names = {weight: name for name, weight in model.named_parameters()}
    for optimizer in optimizers:
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        state = {n: stored[names[w]] for n, w in enumerate(weights) if names[w] in stored}
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def moments(model: nn.Module, optimizers: Sequence[Optimizer]) -> dict[str, Tensor]:
    """The optimizer state as tensors named `WEIGHT.STATE`."""
    kept = {weight: state for optimizer in optimizers for weight, state in optimizer.state.items()}
    return {
        f"{name}.{key}": tensor
        for name, weight in model.named_parameters()
        for key, tensor in kept.get(weight, {}).items()
    }


def load_weights(model: nn.Module, path: Path) -> None:
    """Load the weights of a safetensors file. Exit code 2 unless all of them fit."""
    found, wanted = read(path), model.state_dict()
    wrong = [f"{name} is missing" for name in wanted.keys() - found.keys()]
    wrong += [f"{name} is not in the model" for name in found.keys() - wanted.keys()]
    wrong += [
        f"{name} has shape {tuple(found[name].shape)}, the model's {tuple(wanted[name].shape)}"
        for name in found.keys() & wanted.keys()
        if found[name].shape != wanted[name].shape
    ]
    if wrong:
        more = f"; {len(wrong) - 3} more" if len(wrong) > 3 else ""
        fail(f"{path} does not match the model: {'; '.join(sorted(wrong)[:3])}{more}")
    model.load_state_dict(found)


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file. Exit code 2 when it cannot be read."""
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        fail(f"{path} cannot be read: {error}")
