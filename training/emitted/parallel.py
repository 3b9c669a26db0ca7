"""Processes and devices: starting them, distributing the model, and sums over all devices.

ddp     a copy of the model on each device; gradients are averaged (DistributedDataParallel)
fsdp    rows of each weight, its gradient and its optimizer state on each device; a layer's weights
        are gathered when it runs (FSDP2; Zhao et al. 2023, arXiv:2304.11277)
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from functools import partial

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

from .files import fail
from .settings import Settings

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


def first_row(tensor: Tensor) -> int:
    """Number of the first row that this process has; rows are distributed as by `torch.chunk`."""
    if not isinstance(tensor, DTensor):
        return 0
    (rank, ranks), rows = rank_and_ranks(), tensor.size(0)
    return min(rows, rank * -(-rows // ranks))


def like(rows: Tensor, tensor: Tensor) -> Tensor:
    """This process's rows as a tensor that is sharded as another of the same shape."""
    if not isinstance(tensor, DTensor):
        return rows
    mesh, placements, size = tensor.device_mesh, tensor.placements, tensor.size()
    return DTensor.from_local(rows, mesh, placements, shape=size, stride=tensor.stride())
