"""Costs in a figure: a line in each box, and an explanation below."""

from __future__ import annotations

from ...compiler.graph import ModuleGraph
from ...compiler.op_costs import OpCosts, op_costs
from .part import Part
from .parts import Parts
from .text import plain

FORMS = ("box", "opened", "layers")
LEAST = 0.5  # percent; smaller shares of weights and FLOPs are not shown
_UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"), (1.0, ""))
_FLOPS = ((1e15, "PFLOP"), (1e12, "TFLOP"), (1e9, "GFLOP"), (1e6, "MFLOP"), (1e3, "kFLOP"))


def say_costs(parts: Parts) -> list[str]:
    """Add a line of costs to each box; returns the notes below the figure."""
    costs = op_costs(parts.graph)
    for part in parts.by_key.values():
        if part.form in FORMS:
            part.cost = _line(parts.graph, part, costs)
    weights, flops = costs.total
    return [
        f"{_counted(weights, _UNITS)} weights. One forward of {plain(costs.sequence)} tokens: "
        f"{_counted(flops, _FLOPS)}s.",
        "In a box: the weights and the share of the FLOPs of all its layers together.",
    ]


def _line(graph: ModuleGraph, part: Part, costs: OpCosts) -> str:
    """`28.3 M weights · 28 % FLOPs`; empty for negligible costs."""
    ops = part.ops if part.form != "layers" else graph.subtree(part.path)
    weights, flops = costs.of(ops)
    share = 100 * flops / (costs.total[1] or 1.0)
    if share < LEAST and 100 * weights < LEAST * costs.total[0]:
        return ""
    parts = [f"{_counted(weights, _UNITS)} weights"] if weights else []
    if flops:
        parts.append("< 1 % FLOPs" if share < 1 else f"{share:.0f} % FLOPs")
    return " · ".join(parts)


def _counted(number: float, units: tuple[tuple[float, str], ...]) -> str:
    """Three digits and a unit: `38.6 M`."""
    size, unit = next((each for each in units if number >= each[0] * 0.9995), units[-1])
    return f"{number / size:.3g} {unit}".rstrip()
