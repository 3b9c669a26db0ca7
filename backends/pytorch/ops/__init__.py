"""One row per op: its expression in PyTorch.

A row knows an op and its attributes, never an attention variant.
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
    relative,
    results,
    rotary,
    sums,
)
from .row import Row

KINDS = (
    positions,
    rotary,
    relative,
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

ROWS: dict[str, Row] = {kind: row for module in KINDS for kind, row in module.ROWS.items()}
