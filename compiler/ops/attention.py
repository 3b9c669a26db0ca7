"""Heads, the cache, and attention by scores of pairs."""

from __future__ import annotations

from ..axes import S, Shape
from ..cost import Poly, elements
from ..graph import Initial, Op, Value, Weight
from .row import ZEROS, Attrs, Inputs, Row


def attend_flops(op: Op, values: dict[str, Value]) -> Poly:
    """Scores and weighted sum over every pair; the report scales by the mask's density."""
    q, k, v = (values[op.arg(slot)].shape for slot in ("q", "k", "v"))
    pairs = elements(q[:-1]) * elements(k[-2:-1])
    return 2 * pairs * elements(q[-1:]) + 2 * pairs * elements(v[-1:])


def score_weights(attrs: Attrs) -> tuple[Weight, ...]:
    shape = (attrs["heads"].size, attrs["width"].size)
    return (Weight("", shape, Initial("constant", 1.0)),)


def sink_weights(attrs: Attrs) -> tuple[Weight, ...]:
    return (Weight("", (attrs["heads"].size,), ZEROS),)


def split_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    *batch, length, _ = inputs["x"].shape
    return [(*batch, attrs["heads"], length, attrs["width"])]


def merge_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    batch, heads, length, width = inputs["x"].shape
    return [(batch, length, heads * width)]


def cached_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    return [(*v.shape[:-2], S, v.shape[-1]) for v in inputs]


def joined_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    return [(*inputs.first.shape[:-1], attrs["dim"])]


def expanded_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    batch, _, *rest = inputs["x"].shape
    return [(batch, attrs["heads"], *rest)]


def attend_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    return [(*inputs["q"].shape[:-1], inputs["v"].shape[-1])]


ROWS: dict[str, Row] = {
    "split_heads": Row(
        "(B, T, H*E) to (B, H, T, E), or the same without B",
        ("x",),
        split_shape,
        attrs=("heads", "width"),
    ),
    "merge_heads": Row("(B, H, T, E) to (B, T, H*E)", ("x",), merge_shape),
    "expand_heads": Row(
        "(B, 1, T, E) to (B, H, T, E): one for all heads", ("x",), expanded_shape, attrs=("heads",)
    ),
    "concat": Row(
        "the inputs side by side along the last axis", ("parts*",), joined_shape, attrs=("dim",)
    ),
    "cache": Row(
        "two values (..., T, E) of the new tokens, such as k and v, to those of all tokens seen "
        "so far, (..., S, E)",
        ("first", "second"),
        cached_shape,
    ),
    "score_vector": Row(
        "a learned vector for each head, (H, E)",
        (),
        lambda inputs, attrs: [(attrs["heads"], attrs["width"])],
        score_weights,
        dtype="float",
        part="attention",
        attrs=("heads", "width"),
    ),
    "sinks": Row(
        "a learned number for each head, (H,)",
        (),
        lambda inputs, attrs: [(attrs["heads"],)],
        sink_weights,
        dtype="float",
        part="attention",
        attrs=("heads",),
    ),
    "attend": Row(
        "softmax(cap(q k^T * scale) + "
        "bias over the keys that the mask admits) v; rows that see nothing give 0. A head's sink "
        "joins the softmax as the score of one more key, whose value is 0. Query head h reads key "
        "head "
        "h // (H/K). With attr score `distance`, -|q - k|^2 stands for q k^T; with `additive`, "
        "vector . tanh(q + k) with the vector of each head. attrs: scale (a "
        "number, a Field, or None = 1/sqrt(E)), score, softcap or None, dropout, formula, kernel",
        ("q", "k", "v", "mask?", "bias?", "sinks?", "vector?"),
        attend_shape,
        flops=attend_flops,
        part="attention",
        attrs=(
            "scale",
            "softcap",
            "dropout",
            "formula",
            "heads",
            "kv_heads",
            "kernel?",
            "reason?",
            "causal?",
            "score?",
        ),
    ),
}
