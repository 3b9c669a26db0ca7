"""Masks: which keys each query attends to."""

from __future__ import annotations

from typing import Any

from ..axes import ONE, B, Dim, Shape, T
from ..cost import Poly, elements
from ..formula import atoms
from ..tiling import ONE_RANGE, TileKind
from .row import Attrs, Inputs, Row, declared
from .saved import FREE, OUT, Saving, keeps, view


def mask_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    keys: Dim = attrs["keys"]
    queries = attrs.get("queries", T)
    if attrs.get("alike"):
        return [(queries, keys)]
    return [(B, ONE, queries, keys)]


# -- storage without padding and other data: one mask for all sequences


EACH = {"prefix", "documents"}
BY_TILES = (*ONE_RANGE, TileKind.RANGES, TileKind.CLASSES)
"""Tiles whose masks are numbers, also the one of a sequence too short for several."""


def for_each_sequence(formula: Any) -> bool:
    """Whether a mask of this formula has a batch axis even without data arguments."""
    return any(atom.name in EACH or atom.args == ("given",) for atom in atoms(formula))


def mask_stores(s: Saving) -> tuple[str, Poly]:
    """Nothing if SDPA's `is_causal` is enough; for tiles, their masks or that of all pairs."""
    if s.tiles is not None:
        return "float", Poly.of(s.tiles.masks)
    if s.op.attrs.get("tiles") in BY_TILES and not s.op.attrs.get("implicit"):
        return "float", elements(s.shape(OUT)[-2:])
    pairs = Poly() if s.op.attrs.get("implicit") else elements(s.shape(OUT)[-2:])
    return "bool", pairs


def head_masks_stores(s: Saving) -> tuple[str, Poly]:
    """The tiles of all groups of heads, one mask of each group if the sequence is too short for
    tiles, or one mask of all heads.
    """
    if s.tiles is not None:
        return "float", Poly.of(s.tiles.masks)
    if s.op.attrs.get("tiles"):
        masked = [one for one in s.op.attrs["formula"] if str(one) != "causal"]
        return "float", len(masked) * elements(s.shape(OUT)[-2:])
    return "bool", elements(s.shape(OUT)[-3:])


def global_rows_stores(s: Saving) -> tuple[str, Poly]:
    return "bool", elements(s.shape(OUT)[-2:]) if s.op.attrs["ranges"] else Poly.of(1)


ROWS: dict[str, Row] = {
    "mask": Row(
        "True where a query may attend to a key. Optional inputs: attention_mask, "
        "document_ids, prefix_length, global_mask. attrs: formula (a mask tree), keys (axis "
        "S, or M for a memory, which has only attention_mask), alike (the same for all "
        "sequences, without data)",
        ("attention_mask?", "document_ids?", "prefix_length?", "global_mask?"),
        mask_shape,
        dtype="bool",
        part="attention",
        attrs=(
            "formula",
            "keys",
            "stack",
            "memory",
            "alike?",
            "implicit?",
            "tiles?",
            "tiles_reason?",
            "forced?",
            "flex?",
            "kept?",
        ),
        stores=mask_stores,
    ),
    "pad_mask": Row(
        "attention_mask (B, T-n) after `front` ones and before `back` ones; one of them may be "
        "None, and is then what a mask of x (B, T, D) needs; absent if the mask is",
        ("attention_mask", "x?"),
        declared,
        dtype="int",
        attrs=("shape", "front", "back"),
        view=view(FREE),
    ),
    "head_masks": Row(
        "masks of several equal groups of heads, in order, concatenated to (B, H, T, S); "
        "or the tiles of each group",
        ("masks*",),
        declared,
        dtype="bool",
        part="attention",
        attrs=("shape", "formula", "memory", "tiles?"),
        stores=head_masks_stores,
    ),
    "global_rows": Row(
        "True at global queries: where global_mask (optional) is 1, or in one of the "
        "`ranges`; negative ends count from the end",
        ("global_mask?",),
        declared,
        dtype="bool",
        part="attention",
        attrs=("shape", "ranges", "stack"),
        stores=global_rows_stores,
    ),
    "global_places": Row(
        "the positions of the queries that are global in any sequence, (Tg,)",
        ("rows",),
        lambda inputs, attrs: [(attrs["dim"],)],
        dtype="int",
        part="attention",
        attrs=("dim", "ranges"),
    ),
    "take_places": Row(
        "x at these positions, (B, T, D) to (B, Tg, D)",
        ("x", "places"),
        lambda inputs, attrs: [
            (inputs["x"].shape[0], inputs["places"].shape[0], *inputs["x"].shape[2:])
        ],
        dtype="float",
        part="attention",
        saves=keeps("places"),
    ),
    "put_places": Row(
        "x (B, H, T, E), with rows (B, H, Tg, E) at these positions",
        ("x", "rows", "places"),
        dtype="float",
        part="attention",
        saves=keeps("rows", "places"),
    ),
    "select": Row(
        "inputs chosen, a, b: a where chosen is True, else b",
        ("chosen", "a", "b"),
        lambda inputs, attrs: [inputs["a"].shape],
        dtype="float",
        part="attention",
        saves=keeps("chosen"),
    ),
}
