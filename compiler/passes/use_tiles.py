"""Make tiles of the masks that `choose_tiles` marked, as files are emitted.

    mask = mask(causal & window(512))     ->    tiles = mask(causal & window(512))
    y = attend(q, k, v, mask)             ->    y = attend(q, k, v, tiles)

Attributes of these ops then say which functions make and read the tiles.
"""

from __future__ import annotations

from dataclasses import replace

from ..graph import ModuleGraph, Op
from ..mask_users import mask_of, readers
from ..tiling import ONE_RANGE, TileKind
from .choose_tiles import OF_DISTANCE


def use_tiles(graph: ModuleGraph) -> ModuleGraph:
    """The graph as it is emitted: values that are tiles are called so and are never None.

    A tile without a mask is the kernel's own causal mask where `implicit` is `causal`, and all
    pairs where it is `full`. A stack whose layers mix both makes its causal masks.
    """
    graph = graph.copy()
    masks = [op for op in graph.ops() if op.kind == "mask" and op.attrs.get("tiles")]
    kinds = TileKind.WHOLE, TileKind.RANGES, TileKind.CLASSES
    mixed, gathered, strided = (_stacks_with(masks, kind) for kind in kinds)
    for op in masks:
        _call_tiles(graph, op)
        implicit = "full" if op.attrs["tiles"] is TileKind.WHOLE else ""
        if op.attrs["tiles"] in ONE_RANGE and op.attrs["stack"] not in mixed:
            implicit = "causal" if _may_be_causal(graph, op) else ""
        graph.replace_op(op.number, attrs={**op.attrs, "implicit": implicit})
    for op in graph.ops():
        if op.kind == "head_masks" and op.attrs.get("tiles"):
            _call_tiles(graph, op)
    _bias_tiles(graph)
    made = [graph.op(op.number) for op in masks]
    causal = {op.attrs["stack"] for op in made if op.attrs["implicit"] == "causal"}
    for op in graph.ops():
        if op.kind == "attend" and op.attrs.get("tiles"):
            mask = mask_of(graph, op)
            assert mask is not None
            fused = mask.attrs["stack"] in causal and op.attrs["kernel"] == "sdpa"
            kind = op.attrs["tiles"].kinds[-1]
            kind = TileKind.RANGES if mask.attrs["stack"] in gathered else kind
            kind = TileKind.CLASSES if mask.attrs["stack"] in strided else kind
            tiles = replace(op.attrs["tiles"], reads=kind, causal=fused)
            graph.replace_op(op.number, attrs={**op.attrs, "tiles": tiles, "causal": False})
    return graph


def _call_tiles(graph: ModuleGraph, op: Op) -> None:
    """Rename the value of a mask, which is a list of tiles."""
    _rename(graph, op, "mask", "tiles")


def _rename(graph: ModuleGraph, op: Op, before: str, after: str) -> None:
    """Rename the result of an op; the part of the name that tells kinds of layers apart stays."""
    value = graph.values[op.outputs[0]]
    ending = value.base or (before if value.name.endswith("_" + before) else value.name)
    name, base = value.name.removesuffix(ending) + after, after if value.base else ""
    graph.values[value.id] = replace(value, name=name, base=base, optional=False)


def _bias_tiles(graph: ModuleGraph) -> None:
    """A bias of the distance is added to the masks of tiles, and not computed for all pairs."""
    tiled = [op for op in graph.ops() if op.kind == "masked_bias" and op.attrs.get("tiles")]
    for op in tiled:
        of = _distance_of(graph, op)
        _rename(graph, op, "bias", "bias_tiles")
        distance = {"kind": of.kind, "op": of.number, **of.attrs}
        table = op.arg("bias") if of.kind == "relative_buckets" else ""
        made = {**op.attrs, "distance": distance}
        graph.replace_op(op.number, inputs=(table, op.arg("mask")), attrs=made)
    for op in graph.ops():
        if op.kind == "relative_bias" and op.attrs.get("tiles"):
            graph.replace_op(op.number, inputs=("",))  # the table, for the tiles
    for op in graph.ops():
        if op.kind in OF_DISTANCE and not graph.consumers(op.outputs[0]):
            graph.remove_op(op.number)


def _distance_of(graph: ModuleGraph, op: Op) -> Op:
    """What a bias computes of the distances: that of ALiBi, or the buckets of a learned one."""
    made = graph.producer(op.arg("bias"))
    if made is not None and made.kind == "relative_bias":
        made = graph.producer(made.arg("buckets"))
    assert made is not None
    return made


def _stacks_with(masks: list[Op], kind: TileKind) -> set[str]:
    return {op.attrs["stack"] for op in masks if op.attrs["tiles"] is kind}


def _may_be_causal(graph: ModuleGraph, mask: Op) -> bool:
    """Whether the mask is plainly causal if its window or first block covers all tokens; SDPA
    computes it then.
    """
    formula = mask.attrs["formula"]
    parts = getattr(formula, "parts", (formula,))
    names = [getattr(part, "name", "") for part in parts]
    users = readers(graph, mask)
    fused = all(user.attrs.get("kernel") == "sdpa" for user in users)
    causal = set(names) <= {"causal", "window"} or sorted(names) == ["blocks", "causal"]
    return fused and causal and type(formula).__name__ != "Or"


def without_tiles(graph: ModuleGraph) -> ModuleGraph:
    """The same graph with dense masks only."""
    graph = graph.copy()
    for op in graph.ops():
        if op.attrs.get("tiles"):
            graph.replace_op(op.number, attrs={**op.attrs, "tiles": None})
    return graph
