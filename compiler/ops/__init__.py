"""One row per op: what it computes, its result's shape, its weights, its matrix FLOPs.

Backends know these ops and nothing above them. FLOPs count multiply-adds as 2 and, as is usual in
the field, only those of matrix products; what is left is memory traffic, not arithmetic.
"""

from __future__ import annotations

from . import attention, elementwise, experts, layers, masks, positions, results, sums
from .row import Row

KINDS = (
    positions,
    masks,
    layers,
    elementwise,
    attention,
    sums,
    experts,
    results,
)

OPS: dict[str, Row] = {kind: row for module in KINDS for kind, row in module.ROWS.items()}
