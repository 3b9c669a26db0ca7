"""Which pairs of a query and a key are admitted."""

from __future__ import annotations

from typing import Any

from ..axes import ONE, B, Dim, Shape, T
from ..cost import Poly, elements
from ..formula import atoms
from .row import Attrs, Inputs, Row, declared
from .saved import OUT, Saving, keeps


def mask_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    keys: Dim = attrs["keys"]
    queries = attrs.get("queries", T)
    if attrs.get("alike"):
        return [(queries, keys)]
    return [(B, ONE, queries, keys)]


# -- what is stored without padding and other data: one mask for all sequences


EACH = {"prefix", "documents"}


def for_each_sequence(formula: Any) -> bool:
    """Has a mask of this formula an axis for sequences, even where no data is given?"""
    return any(atom.name in EACH or atom.args == ("given",) for atom in atoms(formula))


def mask_stores(s: Saving) -> tuple[str, Poly]:
    """Nothing where the kernel knows the mask by itself. Of tiles, what one tile of all would."""
    if s.op.attrs.get("tiles") == "band" and str(s.op.attrs["formula"]) != "causal":
        return "float", elements(s.shape(OUT)[-2:])
    pairs = Poly() if s.op.attrs.get("implicit") else elements(s.shape(OUT)[-2:])
    return "bool", pairs


def head_masks_stores(s: Saving) -> tuple[str, Poly]:
    return "bool", elements(s.shape(OUT)[-3:])


def global_rows_stores(s: Saving) -> tuple[str, Poly]:
    return "bool", elements(s.shape(OUT)[-2:]) if s.op.attrs["ranges"] else Poly.of(1)


ROWS: dict[str, Row] = {
    "mask": Row(
        "True where a query may see a key. Inputs, each optional: attention_mask, document_ids, "
        "prefix_length, global_mask. attrs: formula (a mask tree), keys (axis S, or M for a "
        "memory, which has attention_mask only), alike (the same for every sequence: no data)",
        ("attention_mask?", "document_ids?", "prefix_length?", "global_mask?"),
        mask_shape,
        dtype="bool",
        part="attention",
        attrs=("formula", "keys", "stack", "memory", "alike?", "implicit?", "tiles?"),
        stores=mask_stores,
    ),
    "head_masks": Row(
        "a mask for each of several equal runs of heads, in order, as one (B, H, T, S)",
        ("masks*",),
        declared,
        dtype="bool",
        part="attention",
        attrs=("shape", "formula", "memory"),
        stores=head_masks_stores,
    ),
    "global_rows": Row(
        "True at the queries that are global: where global_mask (an optional input) is 1, or in "
        "one of the `ranges`, whose negative ends count from the end",
        ("global_mask?",),
        declared,
        dtype="bool",
        part="attention",
        attrs=("shape", "ranges", "stack"),
        stores=global_rows_stores,
    ),
    "select": Row(
        "inputs chosen, a, b: a where chosen, else b",
        ("chosen", "a", "b"),
        lambda inputs, attrs: [inputs["a"].shape],
        dtype="float",
        part="attention",
        saves=keeps("chosen"),
    ),
}
