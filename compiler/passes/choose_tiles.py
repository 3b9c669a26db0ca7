"""Decide which masks become tiles: runs of queries, each with the keys that it may see.

    mask = mask(causal & window(512))     ->    the same, `tiles` = "band"
    y = attend(q, k, v, mask)             ->    the same, `tiles` = "band", with the reason

Scores that no query of a tile may see are then never computed. `use_tiles` makes the decision
hold: a mask with tiles is a list of them, for all attentions of its stack.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .. import tile_sizes
from ..formula import Formula
from ..graph import ModuleGraph, Op
from ..reach import is_relative, most, reach

BAND = "band"
WHOLE = "whole"
CAUSAL = "causal"
"""`tiles` of an attention in which SDPA makes the causal mask of a tile without one."""
KERNELS = ("sdpa", "explicit", "distance", "additive")


def choose_tiles(graph: ModuleGraph) -> ModuleGraph:
    """Mark the masks that become tiles and the attentions that read them, each with a reason."""
    graph = graph.copy()
    stacks: dict[str, list[Op]] = {}
    for op in graph.ops():
        if op.kind == "mask" and not op.attrs["memory"]:
            stacks.setdefault(op.attrs["stack"], []).append(op)
    for stack, masks in stacks.items():
        _choose(graph, stack, masks)
    return graph


def _choose(graph: ModuleGraph, stack: str, masks: list[Op]) -> None:
    """Masks of a stack: if one becomes tiles, all do that can, so that its layers are alike."""
    able = [op for op in masks if not why_no_tiles(graph, op)]
    found = {op.number: why_dense(graph, stack, op.attrs["formula"]) for op in able}
    sparse = any(not reason for reason in found.values())
    for op in masks:
        tiles = ""
        if sparse and op.number in found:
            tiles = WHOLE if str(op.attrs["formula"]) == "full" else BAND
        reason = found.get(op.number, why_no_tiles(graph, op))
        graph.replace_op(op.number, attrs={**op.attrs, "tiles": tiles})
        for user in graph.consumers(op.outputs[0]):
            if user.kind == "attend":
                _mark(graph, user, tiles, reason, op)


def _mark(graph: ModuleGraph, attend: Op, tiles: str, reason: str, mask: Op) -> None:
    """Write the decision on an attention; a reason that says more about its kernel stays."""
    said = attend.attrs["reason"]
    if tiles and not reason:
        far = reach(mask.attrs["formula"])
        seen = most(far.left) + most(far.right) + 1
        said = f"tiles: a query may see {seen:,} keys at most"
    elif said == "one dense boolean mask" and reason:
        said = f"one dense mask: {reason}"
    graph.replace_op(attend.number, attrs={**attend.attrs, "tiles": tiles, "reason": said})


def why_dense(graph: ModuleGraph, stack: str, formula: Formula) -> str:
    """Why tiles would not help a mask of this formula; "" where they do."""
    if str(formula) in ("causal", "full"):
        return f"the kernel knows a {formula} mask"
    found = reach(formula)
    if not is_relative(formula) or not found.bounded:
        return "the keys of a query are no single range"
    limit = graph.limits.get(stack) or graph.lengths.get(stack)
    if limit is not None and limit < tile_sizes.SHORT:
        return f"sequences have at most {int(limit):,} tokens"
    if limit is not None and most(found.left) + most(found.right) + 1 >= limit:
        return f"it covers all {int(limit):,} positions"
    return ""


def why_no_tiles(graph: ModuleGraph, mask: Op) -> str:
    """Why attentions cannot read this mask as tiles; "" where they can."""
    formula = mask.attrs["formula"]
    if str(formula) != "full" and not (is_relative(formula) and _one_sided(formula)):
        return "the keys of a query are no single range"
    for user in graph.consumers(mask.outputs[0]):
        if user.kind == "masked_bias":
            return "it is added to a bias of all pairs"
        if user.kind != "attend":
            return f"`{user.kind}` reads the mask of all pairs"
        if user.attrs["kernel"] == "sdpa+bias" and user.arg("bias"):
            return "the kernel adds a bias of all pairs"
        if user.arg("sinks") and user.attrs["softcap"] is not None:
            return "sinks and a softcap need the scores of all pairs"
    return ""


def _one_sided(formula: Formula) -> bool:
    """Is the mask bounded, or the causal one, whose tiles read all keys up to their last query?"""
    return reach(formula).bounded or str(formula) == "causal"


# -- what the decision changes


def use_tiles(graph: ModuleGraph) -> ModuleGraph:
    """The graph as it is emitted: values that are tiles are called so and are never None.

    A tile without a mask is the kernel's own causal mask where `implicit` is `causal`, and all
    pairs where it is `full`. A stack whose layers mix both makes its causal masks.
    """
    graph = graph.copy()
    masks = [op for op in graph.ops() if op.kind == "mask" and op.attrs.get("tiles")]
    mixed = _by_stack(masks, lambda op: op.attrs["tiles"] == WHOLE)
    for op in masks:
        value = graph.values[op.outputs[0]]
        name = value.name.removesuffix(value.base or value.name) + "tiles"
        base = "tiles" if value.base else ""
        graph.values[value.id] = replace(value, name=name, base=base, optional=False)
        implicit = "full" if op.attrs["tiles"] == WHOLE else ""
        if op.attrs["tiles"] == BAND and op.attrs["stack"] not in mixed:
            implicit = "causal" if _may_be_causal(graph, op) else ""
        graph.replace_op(op.number, attrs={**op.attrs, "implicit": implicit})
    causal = _by_stack(
        [graph.op(op.number) for op in masks], lambda op: op.attrs["implicit"] == "causal"
    )
    for op in graph.ops():
        if op.kind == "attend" and op.attrs.get("tiles"):
            mask = graph.producer(op.arg("mask"))
            assert mask is not None
            fused = mask.attrs["stack"] in causal and op.attrs["kernel"] == "sdpa"
            tiles = CAUSAL if fused else op.attrs["tiles"]
            graph.replace_op(op.number, attrs={**op.attrs, "tiles": tiles, "causal": False})
    return graph


def _by_stack(masks: list[Op], test: Callable[[Op], bool]) -> set[str]:
    return {op.attrs["stack"] for op in masks if test(op)}


def _may_be_causal(graph: ModuleGraph, mask: Op) -> bool:
    """Is the mask the causal one where its window covers all tokens, and left to SDPA then?"""
    formula = mask.attrs["formula"]
    parts = getattr(formula, "parts", (formula,))
    names = [getattr(part, "name", "") for part in parts]
    users = graph.consumers(mask.outputs[0])
    fused = all(user.attrs["kernel"] == "sdpa" for user in users)
    return fused and set(names) <= {"causal", "window"} and type(formula).__name__ != "Or"


def without_tiles(graph: ModuleGraph) -> ModuleGraph:
    """The same graph with dense masks only."""
    graph = graph.copy()
    for op in graph.ops():
        if op.attrs.get("tiles"):
            graph.replace_op(op.number, attrs={**op.attrs, "tiles": ""})
    return graph
