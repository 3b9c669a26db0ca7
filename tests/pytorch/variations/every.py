"""Every variation, by its name."""

from __future__ import annotations

from . import (
    attention,
    conditions,
    feed_forward,
    heads,
    inputs,
    masks,
    norms,
    positions,
    recurrences,
    score_biases,
    stacks,
    sublayers,
    sums,
)
from .base import Variation

KINDS = (
    stacks,
    sublayers,
    recurrences,
    score_biases,
    positions,
    masks,
    norms,
    attention,
    sums,
    feed_forward,
    inputs,
    conditions,
    heads,
)

VARIATIONS: dict[str, Variation] = {
    name: variation for module in KINDS for name, variation in module.ROWS.items()
}
