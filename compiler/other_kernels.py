"""What the kernels that an attention does not use lack for it, also for groups of its heads."""

from __future__ import annotations

from dataclasses import dataclass

from .formula import Formula
from .graph import ModuleGraph, Op
from .mask_users import HeadGroup, head_groups, mask_of
from .passes.choose_tiles import is_known, why_tiles
from .passes.use_flex import CUDA, why_no_flex
from .tiling import Tiling

EVERY = "it computes every score, also those that the mask excludes"
OTHERS = "other layers of the stack use tiles; SDPA masks here"
MEMORY = "every query attends to the whole memory"
NO_MASK = "every query attends to every key"


def lacks(graph: ModuleGraph, attend: Op, *, crosses: bool) -> dict[str, str]:
    """Kernel, as `build --kernel` names it -> why this attention does not use it."""
    mask = mask_of(graph, attend)
    if crosses:
        return {"tiles": MEMORY, "flex": MEMORY}
    if mask is None:
        return {"tiles": NO_MASK, "flex": NO_MASK}
    flex = {"flex": why_no_flex(graph, attend) or CUDA}
    if attend.attrs.get("tiles"):
        return {**_instead_of_tiles(attend, attend.attrs["formula"]), **flex}
    return {"tiles": mask.attrs.get("tiles_reason") or NO_MASK, **flex}


def _instead_of_tiles(attend: Op, formula: Formula) -> dict[str, str]:
    fused = attend.attrs["kernel"] == "sdpa" and is_known(formula)
    return {"dense": OTHERS if fused else EVERY}


@dataclass(frozen=True)
class GroupKernel:
    """The kernel of a group of heads with a mask of its own; fields as those of `Attend`."""

    group: HeadGroup
    formula: str
    tiles: bool
    reason: str
    lacks: dict[str, str]


def kernels_of_groups(graph: ModuleGraph, attend: Op) -> tuple[GroupKernel, ...]:
    """The kernel of each group of heads; empty where all heads have the same mask."""
    found = []
    for group in head_groups(graph, attend):
        attrs, tiled = group.mask.attrs, bool(attend.attrs.get("tiles"))
        reason, lacking = attend.attrs["reason"], lacks(graph, attend, crosses=False)
        if tiled:
            reason = attrs["tiles_reason"] or why_tiles(attrs["formula"], Tiling((attrs["tiles"],)))
            lacking = {**lacking, **_instead_of_tiles(attend, attrs["formula"])}
        found.append(GroupKernel(group, str(attrs["formula"]), tiled, reason, lacking))
    return tuple(found)
