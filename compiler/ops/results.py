"""Ops of heads: similarities and pooling."""

from __future__ import annotations

from collections.abc import Iterator

from ..axes import Dim, Shape
from ..cost import Poly, elements
from ..graph import Op, Value
from .elementwise import vector_weights
from .row import Attrs, Inputs, Row, same
from .saved import OUT, Kept, Own, Saving, keeps, view


def similarity_flops(op: Op, values: dict[str, Value]) -> Poly:
    width = values[op.arg("a")].shape[-1]
    return 2 * elements(values[op.outputs[0]].shape) * elements((width,))


def stacked_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    return [(attrs["dim"], *inputs["parts"].shape)]


def pool_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    return [(inputs["x"].shape[0], inputs["x"].shape[-1])]


# -- tensors saved for the backward pass


def exp_scale_saves(s: Saving) -> Iterator[Kept]:
    yield from ("x", Own("float", Poly.of(1)))


def pool_saves(s: Saving) -> Iterator[Kept]:
    how = s.op.attrs["how"]
    if how == "max":
        yield from ("x", OUT)
    if how == "attention":
        yield from ("x", s.own("extra"))  # the softmax of the scores
    if how == "token":
        yield Own("int", 2 * Poly.of("B"))


def pool_view(s: Saving) -> tuple[str, ...]:
    """Selecting one position of every sequence is a view."""
    how = s.op.attrs["how"]
    one = how == "last" or (how == "first" and s.op.attrs["tokens"] == 1)
    return ("x",) if one else ()


def image_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    down, across = attrs["sides"]
    return [(inputs["x"].shape[0], attrs["channels"], Dim("height", down), Dim("width", across))]


ROWS: dict[str, Row] = {
    "similarity": Row(
        "inputs a, b, both (B, N): a @ b.T",
        ("a", "b"),
        lambda inputs, attrs: [(inputs["a"].shape[0], inputs["b"].shape[0])],
        flops=similarity_flops,
        saves=keeps("a", "b"),
    ),
    "stack": Row(
        "the inputs, all (B, B), one above the other",
        ("parts*",),
        stacked_shape,
        attrs=("dim",),
    ),
    "exp_scale": Row(
        "x * exp(s) with a learned number s",
        ("x",),
        same,
        vector_weights,
        attrs=("dim", "initial"),
        saves=exp_scale_saves,
    ),
    "tanh_scale": Row(
        "x * tanh(s) with a learned number s",
        ("x",),
        same,
        vector_weights,
        attrs=("dim", "initial"),
        saves=exp_scale_saves,
    ),
    "unpatchify": Row(
        "(B, T, patch * patch * channels) to an image (B, channels, height, width): the tokens "
        "after the first `front` are patches in row-major order; the numbers of each are in the "
        "order row, column, channel",
        ("x",),
        image_shape,
        attrs=("sides", "patch", "channels", "front"),
    ),
    "join_tokens": Row(
        "the first `tokens` vectors of each sequence, concatenated",
        ("x",),
        lambda inputs, attrs: [(inputs["x"].shape[0], attrs["dim"])],
        attrs=("tokens", "dim"),
        view=view("x"),
    ),
    "pool": Row(
        "one vector per sequence. Inputs: x, optional attention_mask, and for `attention` "
        "scores (B, T, 1), for `token` the ids. how: first (the mean of the first `tokens`), "
        "last (real token), mean, max (over real tokens), attention (weighted by a softmax of "
        "the scores over real tokens), token (the first index with ids == id). skip: number "
        "of leading tokens that a mean leaves out",
        ("x", "attention_mask?", "extra?"),
        pool_shape,
        attrs=("how", "token", "skip", "tokens"),
        saves=pool_saves,
        view=pool_view,
    ),
}
