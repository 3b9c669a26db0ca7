"""The law `costs`: FLOPs and memory of `inspect` equal PyTorch's counts."""

from __future__ import annotations

from typing import Any

from ....compiler.graph import ModuleGraph, Scope
from ....compiler.ops.saved import STRIDED
from ....compiler.report import report
from ..measure import Largest, Measured, NotHere
from ..measured import BATCH
from ..measured import Measured as Counted
from ..shrink_sizes import parts_of
from ..subject import Subject
from .cached import has_static_cache, pieces
from .lengths import of_length
from .padding import first_length

TOKENS = 20
NEAR, EQUAL = 0.2, 1e-9
"""Bytes saved for the backward pass and FLOPs are exact, except in the cases of `inexact`: there,
for small tensors, one copy more or less is a large share."""


def costs(subject: Subject) -> Measured | NotHere:
    """FLOPs of a forward pass, and bytes that autograd saves in training."""
    if subject.device != "cpu":
        return NotHere("costs are counted on the CPU")
    counted = Counted(subject.spec, subject.graph, subject.module, TOKENS)
    if not counted.fits(subject.arguments):
        return NotHere("the vectors that replace tokens are more than the tokens")
    sequence = None if subject.graph.decided() else counted.tokens
    reported = report(subject.graph, batch=BATCH, sequence=sequence)
    about = _about(subject)
    largest, flops = Largest(NEAR), counted.flops()
    apart = abs(reported.flops_dense - flops) / max(flops, 1)
    where = f"{reported.flops_dense:,.0f} FLOPs, not {flops:,}"
    largest.take(apart if apart < EQUAL or about else float("inf"), where)
    _of_cache(subject, largest)
    if by_layout := _decided_by_layout(subject):
        return largest.measured(f"FLOPs only: {by_layout}")
    kept, less = counted.kept(), about or inexact(subject)
    apart = abs(reported.activations.cpu - kept) / max(kept, 1)
    where = f"{reported.activations.cpu:,} bytes in training, not {kept:,}"
    largest.take(apart if apart < EQUAL or less else float("inf"), where)
    return largest.measured(less and f"bytes in training not exact: {less}")


def _about(subject: Subject) -> str:
    """Why FLOPs are not exact; "" if they are."""
    facts = subject.graph.sources()
    if any(layer.reach for fact in facts for layer in fact.convolutions):
        return "frames per token are rounded"
    if any(fact.stack and fact.prefix for fact in facts):
        return "a stack is longer than the one that it reads"
    return ""


def inexact(subject: Subject) -> str:
    """Why the bytes saved for the backward pass are not exact; "" if they are."""
    command = next((line for line in subject.text.splitlines() if "modelwright build" in line), "")
    if has_static_cache(subject) or "--join-projections" in command:
        return "the report counts the file without build options"
    recurrent = [op for op in subject.graph.ops() if op.kind == "recur"]
    if any(op.attrs["query"] is not None for op in recurrent):
        return "the attention of a recurrence depends on the layout"
    if any(length == 1 for length in subject.graph.lengths.values()):
        return "the axes of heads and of a single token are swapped without a copy"
    if any(_copies_its_input(subject.graph, scope) for scope in subject.graph.scopes.values()):
        return "each linear layer of the first layer copies a view: an image, or learned tokens"
    return ""


def _copies_its_input(graph: ModuleGraph, layers: Scope) -> bool:
    """Whether linear layers of a layer read its input, which is not contiguous at first."""
    entries = [carry[0] for kind in layers.order for carry in _carries(graph, layers, kind)]
    if not any(op.kind == "linear" for entry in entries for op in graph.consumers(entry)):
        return False
    made = [graph.producer(value) for value in layers.sources]
    while made:
        op = made.pop()
        if op is not None and op.kind in (*STRIDED, "patchify"):
            return True
        if op is not None and op.kind in ELEMENTWISE:
            made += [graph.producer(value) for value in op.inputs if value]
    return False


ELEMENTWISE = ("add", "dropout", "scale")
"""Ops before the layers that keep the layout of their inputs."""


def _carries(graph: ModuleGraph, layers: Scope, kind: str) -> tuple[tuple[str, str], ...]:
    return graph.scopes[f"{layers.path}.{kind}"].carries


def _of_cache(subject: Subject, largest: Largest) -> None:
    """The bytes of a cache after all tokens. Not for memories of images or sounds."""
    kinds = {fact.kind for fact in subject.graph.sources()}
    if not subject.cached or kinds != {"tokens"}:
        return
    lengths = [subject.arguments.limit(s.ids, TOKENS) for s in subject.arguments.streams()]
    tokens = int(min(TOKENS, first_length(subject), *lengths))
    streams = subject.arguments.streams()
    if any(sum(s.placed.values()) > tokens for s in streams):
        return
    if any(sum(subject.arguments.around(s)) for s in streams):
        return  # the memory has learned tokens in addition
    one = subject.with_model(subject.fresh("float32"), subject.weights)
    cache: Any = vars(subject.module)["Cache"](tokens)
    pieces(one, of_length(one, BATCH, tokens), (4, *(1,) * tokens), cache=cache)
    parts = (vars(cache).get(name, {}).values() for name in ("kv", "memory", "states"))
    storages = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
        for part in parts
        for each in part
        for tensor in (each if isinstance(each, (tuple, list)) else (each,))
    }
    held = sum(storages.values())
    static = has_static_cache(subject)
    reported = report(subject.graph, BATCH, tokens, static_cache=static).cache_bytes
    if reported != held:
        largest.take(
            float("inf"), f"{reported:,} bytes in a cache of {tokens} tokens, not {held:,}"
        )


def _decided_by_layout(subject: Subject) -> str:
    """Why the bytes saved depend on how tensors lie in memory; "" if they do not."""
    if any(getattr(part, "heads", None) == 1 for part in parts_of(subject.spec)):
        return "with one head, memory depends on the layout"  # axes are transposed without a copy
    rotated = [op for op in subject.graph.ops() if op.kind == "rotate"]
    if any(int(op.attrs["width"]) == 2 for op in rotated):  # `torch.cat` of single features
        return "SDPA keeps the scores of heads in which two features are rotated"
    return ""
