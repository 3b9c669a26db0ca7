"""Processes and devices: starting them, distributing the model, and sums over all devices.

ddp     a copy of the model on each device; gradients are averaged (DistributedDataParallel)
fsdp    rows of each weight, its gradient and its optimizer state on each device; a layer's weights
        are gathered when it runs (FSDP2; Zhao et al. 2023, arXiv:2304.11277)
tp      a part of the heads and hidden units of each layer, and of the vocabulary, on each device of
        a group; they compute the same samples together (tensor parallelism; Shoeybi et al. 2019,
        arXiv:1909.08053). Groups compute different samples; weights are sharded over them as by
        fsdp
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor, Replicate
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

from .files import fail
from .settings import Settings

# Modules that `tp` divides, `*` in each layer: the module, its layers that are divided by output
# features (columns), the one that is divided by input features, whose results are summed over the
# devices (rows), and the number of heads (of keys, if these are fewer) or hidden units.
DIVIDED: tuple[tuple[str, tuple[str, ...], str, int], ...] = ()
# Tables with a bias of each head, and the attention that uses it.
TABLES: tuple[tuple[str, str], ...] = ()
# Modules that every device has in full and applies to its heads, such as norms of queries and keys,
# and their attention: their gradients are summed over the group.
SHARED: tuple[tuple[str, str], ...] = ()
# Embeddings and heads that are divided by the words of the vocabulary; logits are gathered.
EMBEDDINGS: tuple[str, ...] = ()
HEADS: tuple[str, ...] = ()
# Whether the model's method `logits` has the weight of such an embedding.
TIED: bool = False
# What is in full on each device, and why; also norms.
WHOLE: tuple[str, ...] = ()
SUMMED: list[str] = []  # those of SHARED whose attention is divided, with `.*`
GROUP: list[DeviceMesh] = []  # the devices over which this process's layers are divided
SIGNALS: list[int] = []  # received; the step is finished and saved


def start_processes() -> tuple[torch.device, int, int]:
    """The device and rank of this process, and the number of processes."""
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(device)
    if not dist.is_torchelastic_launched():
        return device, 0, 1
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    return device, *rank_and_ranks()


def rank_and_ranks() -> tuple[int, int]:
    """The rank of this process, and the number of processes."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def group_and_groups(s: Settings) -> tuple[int, int]:
    """The group of this process and the number of groups, which compute different samples.

    Raises TrainingError if the devices do not form groups of `tensor_size`.
    """
    rank, ranks = rank_and_ranks()
    size = (s.tensor_size or ranks) if s.parallel == "tp" else 1
    if ranks % size:
        fail(f"tensor_size ({size}) must divide the number of devices ({ranks})")
    return rank // size, ranks // size


def record_signals() -> None:
    """Record SIGTERM and Ctrl-C in SIGNALS; a second signal of the same kind ends the process.

    Within a second, it is taken for the first one: schedulers send SIGTERM to all processes of a
    job, and torchrun and `modelwright train` pass it on.
    """
    times: dict[int, float] = {}

    def record(number: int, _frame: object) -> None:
        SIGNALS.append(number)
        if time.monotonic() - times.setdefault(number, time.monotonic()) > 1:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, record)


def total(*numbers: float) -> list[float]:
    """Sum over all processes; each waits for the others."""
    sums = torch.tensor(numbers, dtype=torch.float64)
    if dist.is_initialized():
        dist.all_reduce(sums)  # on the CPU, without waiting for a device
    return sums.tolist()


def agreed(message: str) -> str:
    """The first message that a process has, in all of them; "" if none has one."""
    messages = [message]
    if dist.is_initialized():
        messages *= dist.get_world_size()
        dist.all_gather_object(messages, message)
    return next(filter(None, messages), "")


def first_to_fail() -> bool:
    """Whether no other process that torchrun started on this machine has failed before: it alone
    says why. The others lose the connection to it.
    """
    file = os.environ.get("TORCHELASTIC_ERROR_FILE")  # ATTEMPT/RANK/error.json
    try:
        if file:
            (Path(file).parents[1] / "failed").touch(exist_ok=False)
    except FileExistsError:
        return False
    except OSError:
        pass  # print the message in several processes rather than in none
    return True


def say_why(message: str) -> None:
    """Print why this process fails, also at the end of the report of torchrun."""
    print(message, file=sys.stderr, flush=True)
    file = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if file:
        before = int(time.time()) - 1  # the report repeats the earliest; others end in this second
        with suppress(OSError):
            Path(file).write_text(json.dumps({"message": message, "timestamp": before}))


def end_processes(code: int) -> None:
    """End this process, unless it is the only one and has no error. One of several waits until all
    have written their files.
    """
    if not dist.is_initialized():
        if code:
            raise SystemExit(code)
        return
    if not code:
        total(0)
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.flush()
    os._exit(code)  # threads of gloo sometimes abort a process that exits normally


def distribute(
    model: nn.Module, layers: list[nn.Module], device: torch.device, s: Settings
) -> nn.Module:
    """Move a model to its devices. Returns what is called in its place.

    layers: compiled, recomputed and sharded one by one
    """
    for layer in layers:
        if s.recompute:
            layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
        if s.compile:
            layer.compile()
    if not dist.is_initialized():
        return model.to(device)
    if s.parallel == "ddp":
        devices = [device] if device.type == "cuda" else None
        return DistributedDataParallel(
            model.to(device),
            devices,
            gradient_as_bucket_view=True,  # no copy of them
        )
    (_, ranks), (_, groups) = rank_and_ranks(), group_and_groups(s)
    shape, names = (groups, ranks // groups), ("groups", "tensor")
    mesh = init_device_mesh(device.type, shape, mesh_dim_names=names)
    if s.parallel == "tp":
        divide(model.to(device), mesh["tensor"])
    if s.parallel == "fsdp" or groups > 1:
        shard(model, layers, mesh["groups"], bfloat16=s.bfloat16)
    return model


def shard(
    model: nn.Module, layers: Iterable[nn.Module], groups: DeviceMesh, *, bfloat16: bool
) -> None:
    """Keep only this group's rows of each weight. Raises TrainingError if that is not possible.

    bfloat16: gather weights in bfloat16; gradients are summed in float32
    """
    try:
        from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
    except ImportError:
        fail(f"sharding (fsdp) needs torch 2.6 or later; this is {torch.__version__}")
    if scalars := [name for name, weight in model.named_parameters() if weight.ndim == 0]:
        fail(f"{scalars[0]} is a single number, which cannot be sharded (fsdp); use ddp")
    dtype = torch.bfloat16 if bfloat16 else None
    policy = MixedPrecisionPolicy(dtype, torch.float32, cast_forward_inputs=False)
    for module in (*layers, model):
        fully_shard(module, mesh=groups, mp_policy=policy)


def divide(model: nn.Module, group: DeviceMesh) -> None:
    """Keep only this process's heads and hidden units. Raises TrainingError if none can be divided.

    group: the devices over which each layer is divided
    """
    from torch.distributed.tensor.parallel import (
        ColwiseParallel,
        ParallelStyle,
        RowwiseParallel,
        parallelize_module,
    )

    size = group.size()
    styles: dict[str, ParallelStyle] = {}
    whole = [*WHOLE]
    for module, columns, row, units in DIVIDED:
        if units % size:
            whole.append(f"{module}: {units} heads or hidden units, {size} devices")
            continue
        tables = [table for table, attention in TABLES if attention == module]
        styles |= {name: ColwiseParallel() for name in tables}
        styles |= {f"{module}.{column}": ColwiseParallel() for column in columns}
        styles[f"{module}.{row}"] = RowwiseParallel()
    if not styles:
        fail(f"--parallel tp: no layer can be divided over {size} devices ({'; '.join(whole)})")
    styles |= {name: RowwiseParallel(input_layouts=Replicate()) for name in EMBEDDINGS}
    styles |= {name: ColwiseParallel(output_layouts=Replicate()) for name in HEADS}
    if rank_and_ranks()[0] == 0:
        for reason in whole:
            print(f"in full on each device: {reason}", flush=True)
    parallelize_module(model, group, styles)
    if TIED:
        method: Any = model.logits
        model.logits = partial(gathered, method, group)  # type: ignore[assignment]
    shared = [name for name, module in SHARED if any(one.startswith(module) for one in styles)]
    SUMMED[:] = [f"{name}.*" for name in shared]
    GROUP[:] = [group]


def gathered(logits: Callable[[Tensor], Tensor], group: DeviceMesh, x: Tensor) -> Tensor:
    """Logits (B, T, V), of which each device of a group computes those of its words."""
    return whole(logits(DTensor.from_local(x, group, [Replicate()])))


def sum_gradients(model: nn.Module) -> None:
    """Sum the gradients of weights that each device of a group applied to its heads."""
    for name, weight in model.named_parameters():
        if weight.grad is not None and any(fnmatch(name, pattern) for pattern in SUMMED):
            dist.all_reduce(local(weight.grad), group=GROUP[0].get_group())


def clip(model: nn.Module, limit: float) -> Tensor:
    """Scale the gradients to a norm of at most `limit`; 0: no limit. Returns the norm before."""
    graded = [weight for weight in model.parameters() if weight.grad is not None]
    meshes: dict[DeviceMesh | None, list[nn.Parameter]] = {}
    for weight in graded:
        meshes.setdefault(mesh_of(weight), []).append(weight)
    if len(meshes) == 1:
        return whole(nn.utils.clip_grad_norm_(graded, limit or math.inf))
    norms = [whole(nn.utils.clip_grad_norm_(each, math.inf)) for each in meshes.values()]
    norm: Tensor = torch.stack(norms).norm()  # nothing is scaled yet
    for weight in graded if limit else ():
        assert weight.grad is not None
        local(weight.grad).mul_((limit / (norm + 1e-6)).clamp(max=1.0))
    return norm


def synchronise(call: nn.Module, *, last: bool) -> None:
    """DDP averages gradients only in the last backward pass of a step. FSDP does so in each, which
    needs less memory.
    """
    if isinstance(call, DistributedDataParallel):
        call.require_backward_grad_sync = last


def mesh_of(tensor: Tensor) -> DeviceMesh | None:
    """The devices that have parts of a tensor. Fused operations take tensors of one mesh only."""
    return tensor.device_mesh if isinstance(tensor, DTensor) else None


def local(tensor: Tensor) -> Tensor:
    """The part of a tensor that this process has."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def whole(tensor: Tensor) -> Tensor:
    """All parts of a tensor. Every process must call this."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def groups_of(model: nn.Module) -> tuple[int, int]:
    """The group of this process and the number of groups over which the weights are sharded."""
    for mesh in map(mesh_of, model.parameters()):
        names = (mesh.mesh_dim_names if mesh else None) or ()
        if mesh and "groups" in names:
            return mesh.get_local_rank("groups"), mesh.size(names.index("groups"))
    return 0, 1


def rows_of(tensor: Tensor, group: int, groups: int) -> Tensor:
    """The rows of a tensor that the devices of a group have. Every process must call this."""
    mesh = mesh_of(tensor)
    if mesh is None or (groups > 1 and mesh.mesh_dim_names == ("groups",)):
        return local(tensor)
    rows, part = whole(tensor), -(-tensor.size(0) // groups)
    return rows[part * group : part * (group + 1)].clone()


def parts(tensor: Tensor, axis: int) -> Iterator[tuple[int, int]]:
    """How an axis of a tensor is divided, again and again: this process's part, how many parts."""
    if isinstance(tensor, DTensor):
        mesh = tensor.device_mesh
        for n in reversed(range(mesh.ndim)):  # first over the devices of a group, then over groups
            if getattr(tensor.placements[n], "dim", None) == axis:  # Shard, or one over another
                yield mesh.get_local_rank(n), mesh.size(n)


def first_row(tensor: Tensor) -> int:
    """Number of the first row that this process has; rows are distributed as by `torch.chunk`."""
    first, rows = 0, tensor.size(0)
    for number, count in parts(tensor, 0):
        size = -(-rows // count)
        begin = min(rows, number * size)
        first, rows = first + begin, min(size, rows - begin)
    return first


def like(rows: Tensor, tensor: Tensor) -> Tensor:
    """This process's rows as a tensor that is sharded as another of the same shape."""
    if not isinstance(tensor, DTensor):
        return rows
    for number, count in parts(tensor, 1):
        rows = rows.chunk(count, 1)[number].contiguous()
    mesh, placements, size = tensor.device_mesh, tensor.placements, tensor.size()
    return DTensor.from_local(rows, mesh, placements, shape=size, stride=tensor.stride())


def part_of(full: Tensor, tensor: Tensor) -> Tensor:
    """This process's part of a tensor that every process has in full, sharded as another."""
    first = first_row(tensor)
    return like(full[first : first + len(local(tensor))], tensor)
