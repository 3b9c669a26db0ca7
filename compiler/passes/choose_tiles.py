"""Decide which masks become tiles: consecutive queries with the keys that they may attend to.

    mask = mask(causal & window(512))     ->    the same, `tiles` = BAND
    y = attend(q, k, v, mask)             ->    the same, `tiles` = Tiling(BAND), with the reason

Scores that are masked for all queries of a tile are then never computed. Groups of heads with masks
of their own have tiles of their own. `use_tiles` applies the decision: the value of such a mask is
a list of tiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from .. import tile_sizes
from ..formula import Formula, atoms, plain
from ..graph import ModuleGraph, Op
from ..mask_users import mask_of, masks_of, readers
from ..reach import is_relative, most, reach
from ..rows import Given, Rows
from ..sizes import Size
from ..tile_ranges import block_size, classes
from ..tiling import TileKind, Tiling

ASKED_DENSE = "`kernel: dense` asks for it"
MIXED = "the heads are mixed for all pairs"
HALF = "half of all scores or more are needed"
OF_DISTANCE = ("alibi", "relative_buckets")
"""Biases of the distance alone, which tiles share."""
KNOWN = ("causal", "full")
"""Masks that SDPA needs no tensor for."""


def choose_tiles(graph: ModuleGraph, *, forced: bool = False) -> ModuleGraph:
    """Mark the masks that become tiles and the attentions that read them, each with a reason.

    forced: also where one dense mask is as fast, and whatever the spec says
    """
    graph = graph.copy()
    stacks: dict[str, list[Op]] = {}
    for op in graph.ops():
        if op.kind == "mask" and not op.attrs["memory"]:
            stacks.setdefault(op.attrs["stack"], []).append(op)
    for stack, masks in stacks.items():
        _choose(graph, stack, masks, forced=forced)
    return graph


def _choose(graph: ModuleGraph, stack: str, masks: list[Op], *, forced: bool) -> None:
    """Masks of a stack: if one becomes tiles, all do that can, so that its layers are alike."""
    asked = "tiles" if forced else asked_kernel(graph, stack)
    forced = asked == "tiles"
    unable = _unable(graph, masks)
    able = [op for op in masks if not unable[op.number]]
    found = {op.number: _why_dense(graph, stack, op, forced=forced) for op in able}
    sparse = any(not reason for reason in found.values()) and asked != "dense"
    for op in masks:
        kind = _kind_in(graph, op) if sparse and op.number in found else None
        tiles = None if kind is None else Tiling((kind,))
        reason = found.get(op.number, unable[op.number])
        if asked == "dense":
            reason = reason or ASKED_DENSE
        decided: dict[str, Any] = {"tiles": kind, "tiles_reason": reason}
        if forced and kind:
            decided["forced"] = True
        graph.replace_op(op.number, attrs={**op.attrs, **decided})
        for user in graph.consumers(op.outputs[0]):
            if user.kind == "attend":
                _mark(graph, user, tiles, reason, op)
            elif user.kind == "masked_bias":
                graph.replace_op(user.number, attrs={**user.attrs, "tiles": kind})
                _mark_table(graph, user.arg("bias"))
                for attend in graph.consumers(user.outputs[0]):
                    if attend.kind == "attend":
                        _mark(graph, attend, tiles, reason, op)
            elif user.kind == "head_masks":
                _mark_groups(graph, user)


def _unable(graph: ModuleGraph, masks: list[Op]) -> dict[int, str]:
    """Why attentions cannot read each mask as tiles; groups of heads can if all of them can."""
    found = {op.number: why_no_tiles(graph, op) for op in masks}
    groups = [masks_of(graph, op) for op in graph.ops() if op.kind == "head_masks"]
    for _ in masks:  # a mask may be one of several groups
        for group in groups:
            reason = next(filter(None, (found.get(op.number) for op in group)), "")
            found |= {op.number: found[op.number] or reason for op in group if op.number in found}
    return found


def _mark_groups(graph: ModuleGraph, op: Op) -> None:
    """Mark the attentions whose groups of heads have these masks."""
    masks = masks_of(graph, op)
    if any("tiles" not in mask.attrs for mask in masks):
        return  # they are marked with the last of them
    kinds = [mask.attrs["tiles"] for mask in masks]
    tiles = Tiling(tuple(kinds), by_head=True) if all(kinds) else None
    graph.replace_op(op.number, attrs={**op.attrs, "tiles": tiles})
    reasons = [mask.attrs["tiles_reason"] for mask in masks]
    reason = "" if tiles else next(filter(None, reasons), "")
    for attend in graph.consumers(op.outputs[0]):
        if attend.kind == "attend":
            _mark(graph, attend, tiles, reason, masks[0])


def _mark_table(graph: ModuleGraph, bias: str) -> None:
    """Mark a learned bias that only tiles read, so that it is not computed for all pairs."""
    made, users = graph.producer(bias), graph.consumers(bias)
    if made is not None and made.kind == "relative_bias":
        tiled = all(user.attrs.get("tiles") for user in users)
        graph.replace_op(made.number, attrs={**made.attrs, "tiles": tiled})


def _why_dense(graph: ModuleGraph, stack: str, mask: Op, *, forced: bool) -> str:
    """Why tiles would not be faster for this mask, which may be added to a bias."""
    formula = mask.attrs["formula"]
    users = graph.consumers(mask.outputs[0])
    if is_known(formula) and any(user.kind == "masked_bias" for user in users):
        return HALF
    return why_dense(graph, stack, formula, forced)


def asked_kernel(graph: ModuleGraph, stack: str) -> str:
    """The `kernel` of the attentions of a stack, which is the same for all."""
    for op in graph.ops():
        if op.kind == "attend" and "asked" in op.attrs and graph.scopes[op.scope].stack == stack:
            return str(op.attrs["asked"])
    return "auto"


def _mark(graph: ModuleGraph, attend: Op, tiles: Tiling | None, reason: str, mask: Op) -> None:
    """Store the decision on an attention; a more specific reason for its kernel is kept."""
    why = attend.attrs["reason"]
    if tiles and not reason:
        why = why_tiles(mask.attrs["formula"], tiles)
    elif reason and attend.attrs["kernel"] == "sdpa" and not is_known(attend.attrs["formula"]):
        why = f"one dense mask: {reason}"
    graph.replace_op(attend.number, attrs={**attend.attrs, "tiles": tiles, "reason": why})


def why_tiles(formula: Formula, tiles: Tiling) -> str:
    """What the tiles of a mask read."""
    if tiles.by_head:
        return "tiles: each group of heads has its own"
    (kind,) = tiles.kinds
    if kind is TileKind.CLASSES:
        found = classes(formula)
        assert found is not None
        return f"tiles: queries and keys whose distance is a multiple of {int(found[0]):,}"
    if kind is TileKind.BLOCKS:
        size = block_size(formula)
        assert size is not None
        return f"tiles: a query attends to its block of {int(size):,} keys"
    if kind is TileKind.BAND:
        far = reach(formula)
        seen = most(far.left) + most(far.right) + 1
        return f"tiles: a query attends to at most {seen:,} keys"
    return "tiles: consecutive queries share a few ranges of keys"


def is_known(formula: Formula) -> bool:
    return str(formula) in KNOWN


def why_dense(graph: ModuleGraph, stack: str, formula: Formula, forced: bool = False) -> str:
    """Why tiles would not be faster for a mask of this formula; "" if they are or are forced."""
    if is_known(formula):
        return f"SDPA needs no mask tensor for a {formula} mask"
    if forced:
        return ""
    found = reach(formula)
    kind = kind_of(formula)
    limit = graph.limits.get(stack) or graph.lengths.get(stack)
    if limit is not None and limit < tile_sizes.SHORT:
        return f"sequences have at most {int(limit):,} tokens"
    uneven = kind in (TileKind.BLOCKS, TileKind.RANGES)
    if uneven and not may_skip(formula, tried_tokens(formula, limit)):
        return "neighbouring queries attend to more than half of all keys"
    seen = most(found.left) + most(found.right) + 1 if found.bounded else 0
    if kind is TileKind.BAND and limit is not None and seen >= limit:
        return f"it covers all {int(limit):,} positions"
    return ""


def why_no_tiles(graph: ModuleGraph, mask: Op) -> str:
    """Why attentions cannot read this mask as tiles; "" where they can."""
    for user in readers(graph, mask):
        if user.kind == "masked_bias":
            if reason := _why_no_biased_tiles(graph, user):
                return reason
            continue
        if user.kind != "attend":
            return f"`{user.kind}` reads the mask of all pairs"
        if len(masks_of(graph, user)) > 1 and (reason := _why_no_tiles_by_head(graph, user)):
            return reason
        if user.attrs["kernel"] == "sdpa+bias" and user.arg("bias"):
            return "the kernel adds a bias of all pairs"
        if kind_of(mask.attrs["formula"]) is TileKind.WHOLE and user.attrs["kernel"] != "sdpa":
            return "the kernel needs no mask where all pairs are seen"
        if user.attrs["kernel"] == "mixed":
            return MIXED
    return ""


def _why_no_tiles_by_head(graph: ModuleGraph, attend: Op) -> str:
    """Why groups of heads cannot have tiles of their own."""
    if attend.arg("sinks"):
        return "its heads have different masks and sinks"
    if attend.attrs["kernel"] == "additive":
        return "its heads have different masks and score vectors"
    if _of_global_rows(graph, attend):
        return "its heads have different masks and the rows of global tokens are apart"
    return ""


def _why_no_biased_tiles(graph: ModuleGraph, op: Op) -> str:
    """Why tiles cannot have this bias; "" for one of the distance alone, which they can share."""
    if len(masks_of(graph, op)) > 1:
        return "its heads have different masks, which are added to a bias"
    made = graph.producer(op.arg("bias"))
    if made is not None and made.kind == "relative_bias":
        made = graph.producer(made.arg("buckets"))
    if made is None or made.kind not in OF_DISTANCE:
        return "it is added to a bias of all pairs"
    users = graph.consumers(op.outputs[0])
    return MIXED if any(user.attrs["kernel"] == "mixed" for user in users) else ""


def kind_of(formula: Formula) -> TileKind:
    """How the tiles of a formula are made."""
    if str(formula) == "full":
        return TileKind.WHOLE
    if block_size(formula) is not None:
        return TileKind.BLOCKS
    far = reach(formula)
    bounded = is_relative(formula) and far.bounded
    if classes(formula) and not (bounded and most(far.left) + most(far.right) < WIDE):
        return TileKind.CLASSES
    return TileKind.BAND if bounded or str(formula) == "causal" else TileKind.RANGES


WIDE = 128
"""Up to this distance, tiles read the keys between those of a stride too."""


def _kind_in(graph: ModuleGraph, mask: Op) -> TileKind:
    """The same for a mask; biases and rows of global tokens need neighbouring queries."""
    formula = mask.attrs["formula"]
    kind = kind_of(formula)
    if kind is not TileKind.CLASSES or all(
        user.kind == "attend" and not _of_global_rows(graph, user) for user in readers(graph, mask)
    ):
        return kind
    bounded = is_relative(formula) and reach(formula).bounded
    return TileKind.BAND if bounded else TileKind.RANGES


def _of_global_rows(graph: ModuleGraph, attend: Op) -> bool:
    return any(user.kind == "select" for user in graph.consumers(attend.outputs[0]))


@lru_cache(maxsize=256)
def may_skip(formula: Formula, tokens: int) -> bool:
    """Whether tiles of a sequence of so many tokens read at most half of the keys.

    Counted for eight tiles; there are eight documents of equal lengths.
    """
    formula = plain(formula)
    given = any(atom.name == "documents" for atom in atoms(formula))
    documents = tuple(8 * token // tokens for token in range(tokens)) if given else ()
    rows, read = Rows(tokens, Given(documents)), 0
    tiles = range(tokens // 16, tokens, tokens // 8)
    for first in tiles:
        seen = 0
        for query in range(first, first + 64):
            seen |= rows.of(formula, query)
        read += seen.bit_count()
    return 2 * read <= tokens * len(tiles)


def tried_tokens(formula: Formula, limit: Size | None) -> int:
    """The length for which tiles are tried: several blocks, if sequences may be so long."""
    blocks = [atom.args[0] for atom in atoms(formula) if atom.name in BLOCKS]
    largest = max((int(size) for size in blocks if isinstance(size, int)), default=0)
    longest = MOST_TRIED if limit is None else min(int(limit), MOST_TRIED)
    return max(LEAST_TRIED, min(4 * largest, longest) // 64 * 64)


BLOCKS = ("blocks", "fixed")
LEAST_TRIED, MOST_TRIED = 4096, 65_536
"""Tokens of these sequences."""


def without_asked_tiles(graph: ModuleGraph) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Attentions for which the spec asks for tiles in a stack without any, and the reason."""
    tiled = {
        graph.scopes[op.scope].stack
        for op in graph.ops()
        if op.kind == "attend" and op.attrs.get("tiles")
    }
    for op in graph.ops():
        asked = op.kind == "attend" and op.attrs.get("asked") == "tiles"
        if asked and graph.scopes[op.scope].stack not in tiled:
            mask = mask_of(graph, op)
            reason = "" if mask is None else mask.attrs.get("tiles_reason", "")
            yield op.origin, reason or "every query attends to every key"
