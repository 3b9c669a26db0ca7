"""Which attentions in tiles compute their scores again in the backward pass.

Fused kernels do not save scores. Other kernels would save two to eight numbers for each score.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from .graph import Op, Value
from .sizes import number


class Recomputed(Enum):
    """When scores are computed again: always, on the CPU, or with dropout on the CPU.

    On other devices, SDPA has fused kernels for the last two cases.
    """

    ALWAYS = "always"
    ON_CPU = "on the CPU"
    DROPPED = "with dropout on the CPU"


def recomputed(op: Op, values: Mapping[str, Value], *, learned: bool) -> Recomputed | None:
    """When attention in tiles computes its scores again; None if never.

    learned: whether the bias is a parameter
    """
    if op.attrs["kernel"] in ("explicit", "additive", "distance") or op.arg("sinks"):
        return Recomputed.ALWAYS
    of_queries, of_values = (number(values[op.arg(slot)].shape[-1].size) for slot in "qv")
    if learned or of_queries != of_values:
        return Recomputed.ON_CPU
    return None if op.attrs["dropout"] is None else Recomputed.DROPPED
