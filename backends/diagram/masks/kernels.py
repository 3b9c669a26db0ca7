"""Which scores the kernel computes: all, those in tiles, or those that SDPA does not skip."""

from __future__ import annotations

from dataclasses import dataclass

from ....compiler.graph import ModuleGraph, Op
from .seen import Seen

SKIPS = "torch chooses which blocks it skips"
TILES = "scores outside the tiles are skipped"


@dataclass(frozen=True)
class Computed:
    """every: whether all scores are computed; None if torch or the tiles decide."""

    every: bool | None
    words: tuple[str, ...]


def computed(graph: ModuleGraph, seen: Seen) -> Computed:
    """What the kernels of the attentions with this mask compute."""
    if seen.sums:
        return Computed(False, ())
    flags = [_takes_is_causal(graph, op) for op in seen.ops]
    names = dict.fromkeys(f"{op.attrs['kernel']}: {op.attrs['reason']}" for op in seen.ops)
    if any(op.attrs.get("tiles") for op in seen.ops):
        return Computed(None, (*names, TILES))
    if any(flags):
        return Computed(None, (*names, SKIPS))
    return Computed(True, (*names, "every score is computed"))


def _takes_is_causal(graph: ModuleGraph, op: Op) -> bool:
    """Whether SDPA is called with `is_causal` instead of a mask."""
    mask = graph.producer(op.arg("mask"))
    implicit = mask is not None and mask.attrs.get("implicit") == "causal"
    return bool(implicit and op.attrs.get("causal"))
