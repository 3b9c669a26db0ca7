"""Processes and devices: starting them, distributing the model, and sums over all devices.

ddp     a copy of the model on each device; gradients are averaged (DistributedDataParallel)
fsdp    rows of each weight, its gradient and its optimizer state on each device; a layer's weights
        are gathered when it runs (FSDP2; Zhao et al. 2023, arXiv:2304.11277)
tp      a part of the heads and hidden units of each layer on each device; all devices compute the
        same samples together (tensor parallelism; Shoeybi et al. 2019, arXiv:1909.08053)
"""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Iterable
from fnmatch import fnmatch
from functools import partial

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, Shard
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
# and their attention: their gradients are summed over the devices.
SHARED: tuple[tuple[str, str], ...] = ()
# What is in full on each device, and why; also norms, embeddings and heads.
WHOLE: tuple[str, ...] = ()
SUMMED: list[nn.Parameter] = []  # the weights of SHARED
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
    """Like `rank_and_ranks`, of the groups of devices that compute different samples."""
    return (0, 1) if s.parallel == "tp" else rank_and_ranks()


def record_signals() -> None:
    """Record SIGTERM and Ctrl-C in SIGNALS; a second signal of the same kind ends the process."""

    def record(number: int, _frame: object) -> None:
        SIGNALS.append(number)
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, record)


def total(*numbers: float) -> list[float]:
    """Sum over all processes; each waits for the others."""
    sums = torch.tensor(numbers, dtype=torch.float64)
    if dist.is_initialized():
        dist.all_reduce(sums)  # on the CPU, without waiting for a device
    return sums.tolist()


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
    if dist.is_initialized() and s.parallel == "fsdp":
        shard(model, layers, bfloat16=s.bfloat16)
        return model
    model.to(device)
    if not dist.is_initialized():
        return model
    if s.parallel == "tp":
        divide(model, device)
        return model
    devices = [device] if device.type == "cuda" else None
    return DistributedDataParallel(model, devices, gradient_as_bucket_view=True)  # no copy of them


def shard(model: nn.Module, layers: Iterable[nn.Module], *, bfloat16: bool) -> None:
    """Keep only this process's rows of each weight. Exits with code 2 if that is not possible.

    bfloat16: gather weights in bfloat16; gradients are summed in float32
    """
    try:
        from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
    except ImportError:
        fail(f"--parallel fsdp needs torch 2.6 or later; this is {torch.__version__}")
    if scalars := [name for name, weight in model.named_parameters() if weight.ndim == 0]:
        fail(f"{scalars[0]} is a single number, which --parallel fsdp cannot shard; use ddp")
    dtype = torch.bfloat16 if bfloat16 else None
    policy = MixedPrecisionPolicy(dtype, torch.float32, cast_forward_inputs=False)
    for module in (*layers, model):
        fully_shard(module, mp_policy=policy)


def divide(model: nn.Module, device: torch.device) -> None:
    """Keep only this process's heads and hidden units. Exits with code 2 if they do not divide."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor.parallel import (
        ColwiseParallel,
        ParallelStyle,
        RowwiseParallel,
        parallelize_module,
    )

    rank, ranks = rank_and_ranks()
    styles: dict[str, ParallelStyle] = {}
    whole = [*WHOLE]
    for module, columns, row, units in DIVIDED:
        if units % ranks:
            whole.append(f"{module}: {units} heads or hidden units, {ranks} devices")
            continue
        tables = [table for table, attention in TABLES if attention == module]
        styles |= {name: ColwiseParallel() for name in tables}
        styles |= {f"{module}.{column}": ColwiseParallel() for column in columns}
        styles[f"{module}.{row}"] = RowwiseParallel()
    if not styles:
        fail(f"--parallel tp: no layer can be divided over {ranks} devices ({'; '.join(whole)})")
    if rank == 0:
        for reason in whole:
            print(f"in full on each device: {reason}", flush=True)
    parallelize_module(model, init_device_mesh(device.type, (ranks,)), styles)
    shared = [name for name, module in SHARED if any(one.startswith(module) for one in styles)]
    for name, weight in model.named_parameters():
        if any(fnmatch(name, f"{one}.*") for one in shared):
            SUMMED.append(weight)


def clip(weights: Iterable[nn.Parameter], limit: float) -> Tensor:
    """Scale the gradients to a norm of at most `limit`; 0: no limit. Returns the norm before.

    Before, `tp` sums the gradients of weights that each device applied to its heads.
    """
    for weight in SUMMED:
        if weight.grad is not None:
            dist.all_reduce(weight.grad)
    graded = [weight for weight in weights if weight.grad is not None]
    kinds = [[w for w in graded if isinstance(w, DTensor) is kind] for kind in (True, False)]
    if not all(kinds):
        return whole(nn.utils.clip_grad_norm_(graded, limit or math.inf))
    norms = [whole(nn.utils.clip_grad_norm_(each, math.inf)) for each in kinds]  # not scaled yet
    norm: Tensor = torch.stack(norms).norm()
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


def local(tensor: Tensor) -> Tensor:
    """The rows of a tensor that this process has."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def whole(tensor: Tensor) -> Tensor:
    """All rows of a tensor. Every process must call this."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def by_rows(tensor: Tensor) -> bool:
    """Whether each process has some rows of a tensor."""
    return isinstance(tensor, DTensor) and tensor.placements[0] == Shard(0)


def first_row(tensor: Tensor) -> int:
    """Number of the first row that this process has; rows are distributed as by `torch.chunk`."""
    if not by_rows(tensor):
        return 0
    (rank, ranks), rows = rank_and_ranks(), tensor.size(0)
    return min(rows, rank * -(-rows // ranks))


def like(rows: Tensor, tensor: Tensor) -> Tensor:
    """This process's rows as a tensor that is sharded as another of the same shape."""
    if not isinstance(tensor, DTensor):
        return rows
    mesh, placements, size = tensor.device_mesh, tensor.placements, tensor.size()
    if placements[0] == Shard(1):  # all rows were given
        rank, ranks = rank_and_ranks()
        rows = rows.chunk(ranks, 1)[rank].contiguous()
    return DTensor.from_local(rows, mesh, placements, shape=size, stride=tensor.stride())
