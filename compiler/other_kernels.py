"""What the kernels that an attention does not use lack for it."""

from __future__ import annotations

from .graph import ModuleGraph, Op
from .passes.choose_tiles import is_known, mask_of

EVERY = "it computes every score, also those that the mask excludes"
OTHERS = "other layers of the stack use tiles; SDPA masks here"
MEMORY = "every query attends to the whole memory"
NO_MASK = "every query attends to every key"


def lacks(graph: ModuleGraph, attend: Op, *, crosses: bool) -> dict[str, str]:
    """Kernel, as `build --kernel` names it -> why this attention does not use it."""
    if attend.attrs.get("tiles"):
        return {"dense": OTHERS if is_known(attend.attrs["formula"]) else EVERY}
    mask = mask_of(graph, attend)
    if crosses:
        return {"tiles": MEMORY}
    return {"tiles": NO_MASK if mask is None else mask.attrs.get("tiles_reason") or NO_MASK}
