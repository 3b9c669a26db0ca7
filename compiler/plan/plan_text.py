"""A plan as text: tables of the layouts, and the formulas with their sources."""

from __future__ import annotations

from ..report_text import in_bytes, table
from .data import PlanData, Planned
from .formulas import FORMULAS

LIMITS = (
    "Computed from the spec; nothing was run. `--mfu` is an assumption: compare it with the MFU\n"
    "that `train` prints. Memory is without the device's context and fragmentation (`--headroom`)."
)


def in_time(hours: float) -> str:
    """`3.5 days`, `12.0 hours`, `40 s`."""
    for size, unit in ((24.0, "days"), (1.0, "hours"), (1 / 60, "minutes")):
        if hours >= 2 * size or (unit == "hours" and hours >= 1):
            return f"{hours / size:,.1f} {unit}"
    return f"{3600 * hours:,.1f} s"


def render(plan: PlanData) -> str:
    """The whole plan, ending without a newline."""
    sections = [_head(plan), _layouts(plan), _memory(plan)]
    chosen = plan.best or min(plan.layouts, key=lambda each: each.memory.total)
    sections += [_chosen(plan, chosen), _formulas()]
    return "\n\n".join("\n".join(lines) for lines in [*sections, [LIMITS]] if lines)


def _head(plan: PlanData) -> list[str]:
    asked, device = plan.request, plan.device
    peak = device.peak[plan.precision]
    active = f", {plan.active:,} used per token" if plan.active < plan.weights else ""
    rows = [
        ("weights", f"{plan.weights:,}{active}"),
        ("tokens", f"{asked.tokens:,.0f}"),
        ("step", f"{plan.batch:,} samples of {plan.sequence:,} tokens; {plan.steps:,} steps"),
        ("training FLOPs", f"{plan.flops:.3g} (6 N D: {plan.kaplan:.3g})"),
        (
            "devices",
            f"{asked.devices} x {device.name}: {device.memory / 1e9:g} GB, "
            f"{peak / 1e12:g} TFLOP/s in {plan.precision}, {device.link / 1e9:g} GB/s in a node of "
            f"{device.node}, {device.network / 1e9:g} GB/s between nodes",
        ),
        ("", device.source),
        ("assumed", f"{asked.mfu:.0%} of the peak, {asked.headroom:.0%} of the memory stays free"),
    ]
    return [plan.name, *table(rows, "<<")]


def _layouts(plan: PlanData) -> list[str]:
    rows = [("layout", "micro-batch", "memory", "fits", "step", "bound by", "MFU", "time", "cost")]
    for each in plan.layouts:
        rows.append(
            (
                each.layout.name + (" *" if each is plan.best else ""),
                f"{each.micro} x {each.passes}",
                in_bytes(each.memory.total),
                "yes" if each.fits else "no",
                f"{each.time.total:.3g} s",
                each.time.bound,
                f"{each.mfu:.1%}",
                in_time(each.hours),
                "" if each.cost is None else f"{each.cost:,.2f}",
            )
        )
    lines = table(rows, "<>><><>>>")
    if plan.best is not None:
        lines.append(f"  * the fastest that fits into {in_bytes(plan.usable)}")
    else:
        lines.append(f"  none fits into {in_bytes(plan.usable)}")
    lines += [f"  not possible: {reason}" for reason in plan.refused]
    return ["layouts (micro-batch: samples per device x forward passes of a step)", *lines]


def _memory(plan: PlanData) -> list[str]:
    parts = ("weights", "gradients", "optimizer", "activations", "working", "total")
    rows: list[tuple[str, ...]] = [("layout", *parts)]
    for each in plan.layouts:
        sizes = (in_bytes(getattr(each.memory, part)) for part in parts)
        rows.append((each.layout.name, *sizes))
    return ["memory of one device", *table(rows, "<>>>>>>")]


def _chosen(plan: PlanData, chosen: Planned) -> list[str]:
    """Communication and times of one layout, and what it does not divide."""
    layout, time = chosen.layout, chosen.time
    lines = [f"{layout.name}: sent by each device in a step"]
    rows = [
        (
            f"{each.kind} of {each.what}",
            in_bytes(each.bytes),
            f"= {each.formula}",
            f"n = {each.devices}",
        )
        for each in chosen.transfers
    ]
    lines += table(rows, "<><<") if rows else ["  nothing"]
    if rows:
        letters = "A: forward passes of a step; P: weights of a tensor-parallel device"
        lines.append(f"  {letters}; X: reduced activations, t: devices that share them")
    lines += ["", f"{layout.name}: seconds of a step"]
    lines += table(
        [
            ("matrix products", f"{time.compute:.3g}", "in parallel"),
            ("memory", f"{time.memory:.3g}", "in parallel"),
            ("communication that overlaps", f"{time.overlapped:.3g}", "in parallel"),
            ("communication that does not", f"{time.waiting:.3g}", "added"),
        ],
        "<><",
    )
    if chosen.replicated and layout.tensor > 1:
        lines += ["", f"{layout.name}: in full on each device of a group of {layout.tensor}"]
        lines += [f"  {reason}" for reason in chosen.replicated]
    return lines


def _formulas() -> list[str]:
    lines = ["formulas"]
    for what, formula, source in FORMULAS:
        lines += [f"  {what}: {formula}", f"      {source}"]
    return lines
