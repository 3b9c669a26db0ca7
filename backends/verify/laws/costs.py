"""The law of costs: what `inspect` says of FLOPs and memory is what PyTorch counts."""

from __future__ import annotations

from ....compiler.report import report
from ..measure import Largest, Measured, NotHere
from ..measured import BATCH
from ..measured import Measured as Counted
from ..shrink import parts_of
from ..subject import Subject

TOKENS = 20
NEAR, EQUAL = 0.2, 1e-9
"""How far the bytes that training keeps may be off: of so small tensors a copy more or less, which
torch makes by their layout, is a large share. FLOPs are exact, unless a stem makes the tokens:
there the frames of each token are a whole number."""


def costs(subject: Subject) -> Measured | NotHere:
    """FLOPs of a forward, and the bytes that autograd keeps of one in training."""
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
        return largest.measured("FLOPs alone: what one head by itself keeps depends on its layout")
    kept = counted.kept()
    apart = abs(said.activations.cpu - kept) / max(kept, 1)
    largest.take(apart, f"{said.activations.cpu:,} bytes in training, not {kept:,}")
    return largest.measured()


def _has_single_heads(subject: Subject) -> bool:
    """Is there an attention with one head, whose axes are exchanged without a copy?"""
    return any(getattr(part, "heads", None) == 1 for part in parts_of(subject.spec))
