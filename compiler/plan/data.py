"""A plan as data: the request, and the result for each layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .communication import Transfer
from .devices import Device
from .formulas import FORMULAS
from .layout import Layout
from .memory import Memory
from .step_time import StepTime


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a plan is made for.

    tokens     tokens of the whole run; of a model with several stacks, those of each
    devices    number of devices
    parallel   layouts to compare: ddp, fsdp, tp8 …; empty: all
    batch      samples per step on all devices; default: 8 per device
    micro      samples per device in one forward pass; default: the largest power of two that fits
    sequence   tokens of a sample; default: max_positions, at most 1024
    precision  data type of the computation: bfloat16 or float32; default: bfloat16, if the device
               has it
    optimizer  adamw or muon
    recompute  whether activations are recomputed in the backward pass
    mfu        assumed fraction of the peak that matrix products reach
    headroom   fraction of the memory that stays free
    price      of a device for one hour
    """

    tokens: float
    devices: int = 1
    parallel: Sequence[str] = ()
    batch: int | None = None
    micro: int | None = None
    sequence: int | None = None
    precision: str | None = None
    optimizer: str = "adamw"
    recompute: bool = False
    mfu: float = 0.4
    headroom: float = 0.1
    price: float | None = None


@dataclass(frozen=True)
class Planned:
    """One layout.

    micro       samples per device in one forward pass
    passes      forward passes of a step
    fits        whether the memory suffices
    mfu         model FLOPs per second, as a fraction of the peak of all devices
    hours       time of the run
    capacity    FLOPs that all devices could compute in this time, at their peak
    cost        of the run; None without a price
    replicated  parts that tensor parallelism does not divide, and why
    """

    layout: Layout
    micro: int
    passes: int
    memory: Memory
    transfers: tuple[Transfer, ...]
    time: StepTime
    fits: bool
    mfu: float
    hours: float
    capacity: float
    cost: float | None
    replicated: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "layout": self.layout.name,
            "tensor": self.layout.tensor,
            "data": self.layout.data,
            "sharded": self.layout.sharded,
            "micro_batch": self.micro,
            "passes": self.passes,
            "memory": {**asdict(self.memory), "total": self.memory.total},
            "fits": self.fits,
            "communication": [asdict(each) for each in self.transfers],
            "step_seconds": {
                **asdict(self.time),
                "total": self.time.total,
                "bound": self.time.bound,
            },
            "mfu": self.mfu,
            "hours": self.hours,
            "capacity_flops": self.capacity,
            "cost": self.cost,
            "replicated": list(self.replicated),
        }


@dataclass(frozen=True)
class PlanData:
    """A plan of a training run.

    weights   number of weights
    active    weights used for one token
    flops     training FLOPs of the whole run: 3 x forward, without masked scores
    kaplan    6 N D: the estimate of Kaplan et al. 2020, with the active weights
    steps     number of optimizer steps
    layouts   in the order in which they were asked for
    best      the fastest layout that fits; None if none fits
    refused   layouts that were not compared, and why
    """

    name: str
    request: Request
    device: Device
    weights: int
    active: int
    sequence: int
    batch: int
    precision: str
    steps: int
    flops: float
    kaplan: float
    layouts: tuple[Planned, ...]
    best: Planned | None
    refused: tuple[str, ...]

    @property
    def usable(self) -> float:
        """Bytes of a device that may be used."""
        return self.device.memory * (1 - self.request.headroom)

    def to_json(self) -> dict[str, Any]:
        """The plan as plain data; sizes in bytes, times in seconds or hours."""
        asked = self.request
        return {
            "name": self.name,
            "weights": self.weights,
            "weights_active": self.active,
            "tokens": asked.tokens,
            "sequence": self.sequence,
            "batch": self.batch,
            "steps": self.steps,
            "devices": asked.devices,
            "device": {**asdict(self.device), "peak": dict(self.device.peak)},
            "usable_memory": self.usable,
            "precision": self.precision,
            "optimizer": asked.optimizer,
            "recompute": asked.recompute,
            "assumed_mfu": asked.mfu,
            "price": asked.price,
            "flops": {"training": self.flops, "six_n_d": self.kaplan},
            "layouts": [each.to_json() for each in self.layouts],
            "best": None if self.best is None else self.best.layout.name,
            "refused": list(self.refused),
            "formulas": [
                {"quantity": what, "formula": formula, "source": source}
                for what, formula, source in FORMULAS
            ],
        }
