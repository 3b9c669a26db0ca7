"""One row per op: definition, shape, weights, FLOPs of matrix products.

Backends know only these ops. FLOPs count 2 per multiply-add, of matrix products only, as usual.
"""

from __future__ import annotations

from . import (
    attention,
    differences,
    elementwise,
    experts,
    layers,
    masks,
    pairs,
    positions,
    recurrence,
    results,
    sums,
)
from .row import Row

KINDS = (
    positions,
    masks,
    layers,
    elementwise,
    attention,
    differences,
    sums,
    pairs,
    recurrence,
    experts,
    results,
)

OPS: dict[str, Row] = {kind: row for module in KINDS for kind, row in module.ROWS.items()}
