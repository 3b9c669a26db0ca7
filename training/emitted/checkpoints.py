"""Saving and loading of checkpoints; a checkpoint is either complete or absent.

    step-00000100/weights.safetensors    the model
    step-00000100/moments.safetensors    the optimizer state, by weight name
    step-00000100/run.json               the step, and settings that must not change on resuming

If groups of devices share the weights (with `fsdp`, each device is a group), each group writes its
rows to files of its own, such as `weights-00001-of-00004.safetensors`. Any number of processes can
load a checkpoint.

They are written to the folder `unfinished`, which is renamed when complete. When a checkpoint is
removed, `run.json` is deleted first: a folder without it is not a checkpoint.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from .files import fail
from .parallel import agreed, first_row, groups_of, like, local, rank_and_ranks, rows_of

RESERVED: dict[Path, int] = {}
"""Folders reserved by this process, with their open file descriptors."""


def reserve(out: Path) -> None:
    """Keep other processes from training in the folder, until this one ends.

    Raises TrainingError if one is, for example one whose parent was killed. Nothing is reserved
    where folders cannot be locked: on Windows and some network file systems.
    """
    if out in RESERVED:
        return
    try:
        import fcntl

        RESERVED[out] = os.open(out, os.O_RDONLY)
        fcntl.flock(RESERVED[out], fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(RESERVED.pop(out))
        fail(f"another process is training in {out}; wait until it ends, or stop it")
    except (ImportError, OSError):
        return


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
    failure. All processes call this; the first one of each group that has rows of its own writes.
    """
    fresh, (rank, ranks) = path.with_name("unfinished"), rank_and_ranks()
    weights = model.state_dict()  # after an evaluation, FSDP shards its weights here
    group, groups = groups_of(model)
    part = f"-{group + 1:05}-of-{groups:05}" if groups > 1 else ""
    writes = rank == group * (ranks // groups)
    tensors = {
        kind: {name: rows_of(tensor, group, groups) for name, tensor in kept.items()}
        for kind, kept in (("weights", weights), ("moments", moments(model, optimizers)))
    }

    def begin() -> None:
        shutil.rmtree(fresh, ignore_errors=True)  # left by a killed process
        fresh.mkdir(parents=True)

    def write() -> None:
        for name, kept in tensors.items():
            file = fresh / f"{name}{part}.safetensors"
            save_file(kept, file)
            flush(file)

    def complete() -> None:
        (fresh / "run.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
        flush(fresh / "run.json")
        remove(path)
        fresh.rename(path)

    for action, acts in ((begin, rank == 0), (write, writes), (complete, rank == 0)):
        wrong = agreed(attempt(action, path) if acts else "")
        if wrong:
            if rank == 0:
                shutil.rmtree(fresh, ignore_errors=True)
            return wrong
    if rank == 0:
        remove_old(path.parent, keep)
    return ""


def remove_old(out: Path, keep: int) -> None:
    """Remove all checkpoints of a run but the newest `keep`, and incomplete ones."""
    for old in set(out.glob("step-*")) - set(find(out)[-keep:]):
        remove(old)


def write_weights(path: Path, weights: dict[str, Tensor]) -> str:
    """Write a file of weights. Returns "" or the reason of a failure.

    In the folder `unfinished`, too: killed, safetensors leaves a file with a random name there.
    """
    fresh = path.with_name("unfinished")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        fresh.mkdir()
        save_file(weights, fresh / path.name)
        (fresh / path.name).replace(path)
    except (OSError, SafetensorError) as error:
        return str(error)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return ""


def attempt(action: Callable[[], None], path: Path) -> str:
    """Do a part of writing a checkpoint. Returns "" or the reason of a failure."""
    try:
        action()
    except (OSError, SafetensorError) as error:
        free = shutil.disk_usage(path.parent).free / 2**20
        return f"{path} could not be written ({free:,.0f} MiB free): {error}"
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


def moments(model: nn.Module, optimizers: Sequence[Optimizer]) -> dict[str, Tensor]:
    """The optimizer state as tensors named `WEIGHT.STATE`."""
    kept = {weight: state for optimizer in optimizers for weight, state in optimizer.state.items()}
    return {
        f"{name}.{key}": tensor
        for name, weight in model.named_parameters()
        for key, tensor in kept.get(weight, {}).items()
    }


def load(path: Path, model: nn.Module, optimizers: Sequence[Optimizer]) -> None:
    """Load weights and optimizer state. Learning rates and weight decay are not changed."""
    load_weights(model, Stored(path, "weights"))
    stored = Stored(path, "moments")
    keys: dict[str, list[str]] = {}
    for whole_name in stored.shapes:
        name, _, key = whole_name.rpartition(".")
        keys.setdefault(name, []).append(key)
    names = {weight: name for name, weight in model.named_parameters()}
    for optimizer in optimizers:
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        state = {
            n: {key: stored.like(f"{names[w]}.{key}", w) for key in keys[names[w]]}
            for n, w in enumerate(weights)
            if names[w] in keys
        }
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def load_weights(model: nn.Module, stored: Stored) -> None:
    """Load all weights. Raises TrainingError unless all of them fit."""
    found, wanted = stored.shapes, model.state_dict()
    wrong = [f"{name} is missing" for name in wanted.keys() - found.keys()]
    wrong += [f"{name} is not in the model" for name in found.keys() - wanted.keys()]
    wrong += [
        f"{name} has shape {found[name]}, the model's {tuple(wanted[name].shape)}"
        for name in found.keys() & wanted.keys()
        if found[name] != tuple(wanted[name].shape)
    ]
    if wrong:
        more = f"; {len(wrong) - 3} more" if len(wrong) > 3 else ""
        fail(f"{stored.path} does not match the model: {'; '.join(sorted(wrong)[:3])}{more}")
    with torch.no_grad():
        for name, weight in wanted.items():
            local(weight).copy_(local(stored.like(name, weight)))


class Stored:
    """The tensors of a safetensors file, or of files that each have some rows of every tensor.

    path: a file, or a folder with `NAME.safetensors` or `NAME-00001-of-00004.safetensors`, …

    Raises TrainingError if one of them is missing or cannot be read.
    """

    def __init__(self, path: Path, name: str = "") -> None:
        paths = sorted(path.glob(f"{name}*.safetensors")) if name else [path]
        self.path = path / f"{name}.safetensors" if name else path
        count = int(paths[0].stem.rpartition("-of-")[2]) if len(paths) > 1 else 1
        if len(paths) != count:
            fail(f"{path} has {len(paths)} files {name}*.safetensors instead of {count}")
        try:
            self.files: list[Any] = [safe_open(file, "pt") for file in paths]
        except (OSError, SafetensorError) as error:
            fail(f"{self.path} cannot be read: {error}")
        if kind := (self.files[0].metadata() or {}).get("quantization"):
            fail(f"{self.path}: these weights are quantized ({kind}); give the float weights")
        self.shapes: dict[str, tuple[int, ...]] = {}
        for file in self.files:
            for key in file.keys():  # noqa: SIM118 - it is not a dict
                rows, *rest = file.get_slice(key).get_shape() or [None]
                before = self.shapes.get(key, (0,))
                self.shapes[key] = (before[0] + rows, *rest) if rows is not None else ()

    def like(self, name: str, tensor: Tensor) -> Tensor:
        """A stored tensor, sharded as `tensor` if it has the same shape."""
        shape = self.shapes[name]
        if shape != tuple(tensor.shape):
            return self.rows(name, 0, shape[0]) if shape else self.files[0].get_tensor(name)
        begin = first_row(tensor)
        return like(self.rows(name, begin, begin + len(local(tensor))), tensor)

    def rows(self, name: str, begin: int, end: int) -> Tensor:
        """Rows of a tensor, from all files that have some of them."""
        made, before = [], 0
        for file in self.files:
            stored = file.get_slice(name)
            count = stored.get_shape()[0]
            a, b = max(begin - before, 0), min(end - before, count)
            made += [stored[a:b]] if a < b else []
            before += count
        return torch.cat(made) if made else self.files[0].get_slice(name)[0:0]
