"""Which scores the kernel computes: every one, or what torch's own causal kernel does not skip."""

from __future__ import annotations

from dataclasses import dataclass

from ....compiler.count import Attend
from ....compiler.graph import ModuleGraph
from .seen import Seen

SKIPS = "which blocks it skips is torch's choice"


@dataclass(frozen=True)
class Computed:
    """every: are all scores computed? None where that is torch's choice, and not known here."""

    every: bool | None
    words: tuple[str, ...]


def computed(graph: ModuleGraph, seen: Seen) -> Computed:
    """What the kernels of the attends that a mask stands in compute of its pairs."""
    told = [_is_told_causal(graph, attend) for attend in seen.attends]
    names = dict.fromkeys(f"{attend.kernel}: {attend.reason}" for attend in seen.attends)
    if any(told):
        return Computed(None, (*names, SKIPS))
    return Computed(True, (*names, "every score is computed"))


def _is_told_causal(graph: ModuleGraph, attend: Attend) -> bool:
    """Is the kernel told `causal` in place of a mask?"""
    mask = graph.producer(attend.op.inputs[3]) if attend.op.inputs[3] else None
    implicit = mask is not None and mask.attrs.get("implicit") == "causal"
    return bool(implicit and attend.op.attrs.get("causal"))
