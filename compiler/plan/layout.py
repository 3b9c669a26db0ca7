"""Layouts: how the weights, their gradients and the optimizer state lie on the devices."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .errors import PlanError

EXPECTED = "expected ddp, fsdp, or tp with a number of devices, such as tp8"


@dataclass(frozen=True)
class Layout:
    """`devices` are `tensor` x `data` devices.

    tensor   devices that compute one micro-batch together, each with a part of the heads, hidden
             units and vocabulary (Shoeybi et al. 2019, arXiv:1909.08053)
    data     groups that compute different samples
    sharded  whether each of these groups stores only a part of weights, gradients and optimizer
             state (FSDP; stage 3 of ZeRO, Rajbhandari et al. 2020, arXiv:1910.02054)
    """

    tensor: int
    data: int
    sharded: bool

    @property
    def name(self) -> str:
        if self.tensor * self.data == 1:
            return "one device"
        if self.tensor == 1:
            return "fsdp" if self.sharded else "ddp"
        return f"tp{self.tensor} x fsdp{self.data}" if self.data > 1 else f"tp{self.tensor}"

    @property
    def shards(self) -> int:
        """Number of devices over which each weight (or its tensor-parallel part) is divided."""
        return self.data if self.sharded else 1


def parse(word: str, devices: int) -> Layout:
    """The layout of `ddp`, `fsdp` or `tp8`, which is FSDP over groups of 8 devices.

    Raises PlanError for another word, and if the devices cannot be divided into such groups.
    """
    found = re.fullmatch(r"ddp|fsdp|tp([0-9]+)", word)
    if found is None:
        raise PlanError(f"unknown layout `{word}` in --parallel; {EXPECTED}")
    tensor = int(found[1] or 1)
    if tensor < 1 or (found[1] and tensor == 1):
        raise PlanError(f"`{word}` in --parallel: groups have at least 2 devices")
    if devices % tensor:
        raise PlanError(f"`{word}` in --parallel: --devices ({devices}) must be a multiple of it")
    data = devices // tensor
    return Layout(tensor, data, word != "ddp" and data > 1)


def candidates(devices: int, node: int) -> Sequence[Layout]:
    """The layouts to compare: ddp, fsdp, and tensor parallelism inside one node."""
    if devices == 1:
        return [Layout(1, 1, False)]
    sizes = [2**n for n in range(1, node.bit_length()) if 2**n <= node and devices % 2**n == 0]
    found = [Layout(1, devices, False), Layout(1, devices, True)]
    return found + [Layout(size, devices // size, devices > size) for size in sizes]
