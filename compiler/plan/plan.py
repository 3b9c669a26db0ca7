"""A plan of a training run: memory, communication, time and cost of each layout."""

from __future__ import annotations

from collections.abc import Mapping

from ..costs import TRAINING
from ..graph import ModuleGraph
from ..op_costs import default_sequence, not_whole
from ..report import report
from ..tile_counts import TileCounts
from . import plan_text
from .communication import transfers
from .data import PlanData, Planned, Request
from .devices import Device, device_of
from .errors import PlanError
from .layout import Layout, candidates, parse
from .memory import Memory, Sizes, memory_of
from .split import Split, split_of
from .step_time import flops_per_sample, step_time

PER_DEVICE = 8
"""Samples per device and step, if no batch is given."""


class Plan(PlanData):
    """A plan of a training run, with a method to print it."""

    def render(self) -> str:
        """The plan as tables to read."""
        return plan_text.render(self)


def make_plan(
    graph: ModuleGraph,
    request: Request,
    device: str | None = None,
    numbers: Mapping[str, float] | None = None,
) -> Plan:
    """Plan a training run.

    device: a name of `devices.DEVICES`, or None for one described by `numbers`
    numbers: changed or own numbers of the device; see `devices.device_of`

    Raises PlanError for invalid values, and for layouts that the model or the devices do not allow.
    """
    _check(request)
    found = device_of(device, request.precision, numbers or {})
    return _Planner(graph, request, found).plan()


def _check(request: Request) -> None:
    for name, value, least in (
        ("--tokens", request.tokens, 1),
        ("--devices", request.devices, 1),
        ("--batch", request.batch, 1),
        ("--micro-batch", request.micro, 1),
        ("--sequence", request.sequence, 1),
        ("--price", request.price, 0),
    ):
        if value is not None and not least <= value < float("inf"):
            raise PlanError(f"{name} must be at least {least}, not {value:g}")
    if not 0 < request.mfu <= 1:
        raise PlanError(f"--mfu must be above 0 and at most 1, not {request.mfu:g}")
    if not 0 <= request.headroom < 1:
        raise PlanError(f"--headroom must be at least 0 and below 1, not {request.headroom:g}")


class _Planner:
    def __init__(self, graph: ModuleGraph, request: Request, device: Device) -> None:
        self.graph, self.request, self.device = graph, request, device
        self.precision = self.choose_precision()
        self.sequence = request.sequence or default_sequence(graph)
        if graph.decided() and self.sequence != default_sequence(graph):
            raise PlanError(
                f"--sequence ({self.sequence}) does not apply: an image has "
                f"{default_sequence(graph)} tokens in this model"
            )
        if reason := not_whole(graph, self.sequence):
            raise PlanError(f"--sequence is {self.sequence}, but {reason}")
        for name, most in graph.limits.items():
            if (request.sequence or 0) > int(most):
                raise PlanError(
                    f"--sequence ({self.sequence}) is larger than max_positions of `{name}`, {most}"
                )
        self.batch = request.batch or request.devices * max(PER_DEVICE, request.micro or 0)
        self.steps = max(1, round(request.tokens / (self.batch * self.sequence)))
        self.tiles = TileCounts(graph, self.sequence)
        self.forward = flops_per_sample(graph, Split(1), self.sequence)[0]
        self.refused: list[str] = []

    def choose_precision(self) -> str:
        peaks, asked = self.device.peak, self.request.precision
        if asked is None:
            return "bfloat16" if "bfloat16" in peaks else next(iter(peaks))
        if asked not in peaks:
            raise PlanError(
                f"--precision {asked}: the peak of {self.device.name} is known for "
                f"{', '.join(peaks)} only; give it with --peak"
            )
        return asked

    def plan(self) -> Plan:
        costs = report(self.graph, sequence=self.sequence)
        layouts = tuple(self.planned(layout, split) for layout, split in self.layouts())
        fitting = [each for each in layouts if each.fits]
        best = min(fitting, key=lambda e: (e.hours, e.memory.total), default=None)
        return Plan(
            name=self.graph.name,
            request=self.request,
            device=self.device,
            weights=costs.weights_total,
            active=costs.weights_active,
            sequence=self.sequence,
            batch=self.batch,
            precision=self.precision,
            steps=self.steps,
            flops=TRAINING * self.forward * self.request.tokens / self.sequence,
            kaplan=6.0 * costs.weights_active * self.request.tokens,
            layouts=layouts,
            best=best,
            refused=tuple(self.refused),
        )

    def layouts(self) -> list[tuple[Layout, Split]]:
        """The layouts to compare. Raises PlanError for one that was asked for and is impossible."""
        asked, devices = self.request.parallel, self.request.devices
        wanted = [parse(word, devices) for word in dict.fromkeys(asked)]
        found = []
        for layout in wanted or candidates(devices, self.device.node):
            split = split_of(self.graph, layout.tensor)
            if reason := self.prevents(layout, split):
                if asked:
                    raise PlanError(f"{layout.name}: {reason}")
                self.refused.append(f"{layout.name}: {reason}")
            else:
                found.append((layout, split))
        if not found:
            raise PlanError(f"no layout is possible: {'; '.join(self.refused)}")
        return found

    def prevents(self, layout: Layout, split: Split) -> str:
        """Why a layout is impossible; "" if it is not."""
        if layout.tensor > 1 and not split.regions:
            return f"no layer can be divided ({'; '.join(split.replicated)})"
        together = layout.data * (self.request.micro or 1)
        if self.batch % together:
            micro = f" x --micro-batch ({self.request.micro})" if self.request.micro else ""
            return (
                f"--batch ({self.batch}) must be a multiple of {layout.data} "
                f"data-parallel devices{micro}"
            )
        return ""

    def sizes(self, micro: int) -> Sizes:
        asked = self.request
        return Sizes(micro, self.sequence, self.precision, asked.optimizer, asked.recompute)

    def fitted(self, layout: Layout, split: Split) -> tuple[Sizes, Memory, bool]:
        """The largest micro-batch that fits, or the smallest; its memory; and whether it fits."""
        usable = self.device.memory * (1 - self.request.headroom)
        asked = self.request.micro
        choices = [asked] if asked else _powers(self.batch // layout.data)
        *_, last = choices

        def tried(micro: int) -> tuple[Sizes, Memory, bool]:
            sizes = self.sizes(micro)
            memory = memory_of(self.graph, layout, split, sizes, self.tiles)
            return sizes, memory, memory.total <= usable

        found = (tried(micro) for micro in choices)
        return next((one for one in found if one[2]), None) or tried(last)

    def planned(self, layout: Layout, split: Split) -> Planned:
        sizes, memory, fits = self.fitted(layout, split)
        passes = self.batch // layout.data // sizes.micro
        sent = tuple(transfers(self.graph, layout, split, sizes, passes))
        device, mfu = self.device, self.request.mfu
        time = step_time(self.graph, layout, split, sizes, passes, device, mfu, memory, sent)
        hours, price = self.steps * time.total / 3600, self.request.price
        model = TRAINING * self.forward * self.batch
        peak = self.request.devices * device.peak[self.precision]
        return Planned(
            layout=layout,
            micro=sizes.micro,
            passes=passes,
            memory=memory,
            transfers=sent,
            time=time,
            fits=fits,
            mfu=model / (time.total * peak),
            hours=hours,
            capacity=3600 * hours * peak,
            cost=None if price is None else hours * self.request.devices * price,
            replicated=split.replicated,
        )


def _powers(share: int) -> list[int]:
    """Powers of two that divide a number, from the largest."""
    return [2**n for n in reversed(range(share.bit_length())) if share % 2**n == 0]
