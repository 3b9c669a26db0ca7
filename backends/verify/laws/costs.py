"""The law `costs`: FLOPs and memory of `inspect` equal PyTorch's counts."""

from __future__ import annotations

from ....compiler.report import report
from ..measure import Largest, Measured, NotHere
from ..measured import BATCH
from ..measured import Measured as Counted
from ..shrink import parts_of
from ..subject import Subject

TOKENS = 20
NEAR, EQUAL = 0.2, 1e-9
"""Tolerance of the bytes saved for the backward pass: for small tensors, one copy more or less is a
large share. FLOPs are exact except for convolutional stems, where frames per token are rounded."""


def costs(subject: Subject) -> Measured | NotHere:
    """FLOPs of a forward pass, and bytes that autograd saves in training."""
    if subject.device != "cpu":
        return NotHere("costs are counted on the CPU")
    counted = Counted(subject.spec, subject.graph, subject.module, TOKENS)
    sequence = None if subject.graph.decided() else counted.tokens
    said = report(subject.graph, batch=BATCH, sequence=sequence)
    stems = any(fact.kind == "conv" for fact in subject.graph.inputs.values())
    largest, flops = Largest(NEAR), counted.flops()
    apart = abs(said.flops_dense - flops) / max(flops, 1)
    exact = apart < EQUAL or stems
    where = f"{said.flops_dense:,.0f} FLOPs, not {flops:,}"
    largest.take(apart if exact else float("inf"), where)
    if _has_single_heads(subject):
        return largest.measured("FLOPs only: with one head, memory depends on the layout")
    kept = counted.kept()
    apart = abs(said.activations.cpu - kept) / max(kept, 1)
    largest.take(apart, f"{said.activations.cpu:,} bytes in training, not {kept:,}")
    return largest.measured()


def _has_single_heads(subject: Subject) -> bool:
    """Whether an attention has one head, whose axes are transposed without a copy."""
    return any(getattr(part, "heads", None) == 1 for part in parts_of(subject.spec))
