"""The law `order`: without positions and masks, a model is permutation-equivariant."""

from __future__ import annotations

import numpy as np

from ..measure import Largest, Measured, NotHere
from ..subject import Subject
from .sight import CROWDED, attending, crowded, masks_of, word_stacks


def order(subject: Subject) -> Measured | NotHere:
    """Permuting the tokens permutes the hidden states."""
    if crowded(subject):
        return NotHere(CROWDED)
    largest = Largest()
    for stream, stack in word_stacks(subject):
        found = subject.spec.stacks[stack]
        blocks = attending(subject, stack)
        if stream.placed:  # vectors that replace tokens stay in their order
            continue
        if found.positions or any(block.positions for block in blocks):
            continue
        if any(block.sublayers for block in blocks):  # convolutions and recurrences
            continue
        if any(str(mask) != "full" for block in blocks for mask in masks_of(block)):
            continue
        data = subject.data("plain")
        shuffled = np.random.default_rng(0).permutation(stream.longest)
        moved = subject.arguments.taken(stream, data, shuffled)
        before, after = (subject.hidden_of(stream, stack, each) for each in (data, moved))
        largest.compare(after, before[:, shuffled], f"{stack}: permuted tokens")
    if not largest.compared:
        return NotHere("positions or masks depend on the order")
    return largest.measured()
