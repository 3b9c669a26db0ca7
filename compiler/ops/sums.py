"""Attention without pairwise scores: sums over the keys."""

from __future__ import annotations

from collections.abc import Iterator

from ..axes import ONE, Dim
from ..cost import Poly, elements
from ..graph import Op, Value, Weight
from ..sizes import number
from .attention import attend_shape
from .row import NORMAL, Attrs, Row, declared
from .saved import OUT, Kept, Own, Saving, operand, view


def pool_weights(attrs: Attrs) -> tuple[Weight, ...]:
    return (Weight("", (attrs["heads"].size, attrs["width"].size), NORMAL),)


CHUNK = 64
"""Chunk length of chunked causal linear attention."""


def chunks_of(length: Dim) -> tuple[Poly, int]:
    """Number of chunks for a length, and tokens per chunk; the first chunk is never full.

    A decoding step with one token has two chunks of one.
    """
    if length.size is None:
        return Poly.of("Q"), CHUNK
    tokens = int(length.size)
    return (Poly.of(2), 1) if tokens == 1 else (Poly.of(-(-tokens // CHUNK) + 1), CHUNK)


def pool_heads_flops(op: Op, values: dict[str, Value]) -> Poly:
    """FLOPs of the scores of all tokens; the weighted sum is not a matrix product."""
    return 2 * elements(values[op.arg("x")].shape)


def linear_attend_flops(op: Op, values: dict[str, Value]) -> Poly:
    """FLOPs of keys times values, queries times their sum and, if causal, pairs in chunks.

    The first chunks are padded with zeros, which are computed too. With decay rates, the sum of
    each chunk contributes to every later one, so the cost is quadratic in the number of chunks.
    """
    q, k, v = (values[op.arg(slot)].shape for slot in ("q", "k", "v"))
    width = elements(v[-1:])
    if not op.attrs["causal"]:
        return 2 * elements(k) * width + 2 * elements(q) * width
    (chunks, chunk), heads = chunks_of(q[-2]), elements(q[:2])
    tokens, state = chunk * heads * chunks, elements(q[-1:]) * width
    flops = 4 * tokens * state + 2 * chunk * tokens * (elements(q[-1:]) + width)
    if not op.arg("rates"):
        return flops
    cached = 2 * heads * state if chunk == 1 else Poly()  # queries times the cached sum
    return flops + 2 * heads * chunks * chunks * state + cached


# -- tensors saved for the backward pass


def pool_heads_saves(s: Saving) -> Iterator[Kept]:
    """Its input and a copy, the vectors, and the weights of the tokens."""
    tokens, vectors = s.rows("x"), elements((*s.shape("x")[:2], s.shape("x")[-1]))
    yield from ("x", s.own("x"), Own("float", vectors + tokens))
    rate = s.op.attrs["dropout"]
    if rate is not None and number(rate):
        yield Own("float", 2 * tokens)


def by_last_saves(s: Saving) -> Iterator[Kept]:
    yield from ("x", Own("float", s.rows("x")))


def linear_attend_saves(s: Saving) -> Iterator[Kept]:
    """Operands of the products, in float32 or wider if causal."""
    q, k, v = (s.shape(slot) for slot in ("q", "k", "v"))
    heads, state = elements(q[:2]), elements((q[-1], v[-1]))
    if not s.op.attrs["causal"]:
        yield from (*(operand(s, slot) for slot in "qkv"), Own("float", heads * state))
        return
    chunks, chunk = chunks_of(q[-2])
    tokens = chunk * heads * chunks
    operands = tokens * (elements(q[-1:]) + elements(k[-1:]) + elements(v[-1:]) + chunk)
    yield Own("wide", operands + heads * chunks * state)
    if s.given("rates"):  # queries and keys times their decay, sums, decays
        decayed = tokens * (elements(q[-1:]) + elements(k[-1:])) + heads * chunks * state
        own = elements(q[1:2])
        yield Own("wide", decayed + own * (chunks * chunks + chunk * chunk + 2 * chunk))


def linear_attend_stores(s: Saving) -> tuple[str, Poly]:
    """The result for whole chunks; the tokens are a view of it."""
    q, v = s.shape("q"), s.shape("v")
    if not s.op.attrs["causal"] or s.narrow:  # a cast to a narrower dtype copies only the tokens
        return "float", s.size(OUT)
    chunks, chunk = chunks_of(q[-2])
    return "float", chunk * elements(q[:2]) * chunks * elements(v[-1:])


ROWS: dict[str, Row] = {
    "pool_heads": Row(
        "inputs x (B, H, T, E), optional attention_mask: the mean of x over real tokens, "
        "weighted by softmax(vector . x / sqrt(E)), with one vector per head, (B, H, 1, E)",
        ("x", "attention_mask?"),
        lambda inputs, attrs: [(*inputs["x"].shape[:2], ONE, inputs["x"].shape[-1])],
        pool_weights,
        pool_heads_flops,
        part="attention",
        attrs=("dropout", "heads", "kv_heads", "width"),
        saves=pool_heads_saves,
    ),
    "without_padding": Row(
        "inputs x (B, H, T, E), optional attention_mask: x, with zeros at padding",
        ("x", "attention_mask?"),
        view=view("x"),
    ),
    "append_ones": Row(
        "appends a column of ones, whose weighted sum is the sum of the weights",
        ("x",),
        lambda inputs, attrs: [(*inputs["x"].shape[:-1], inputs["x"].shape[-1] + 1)],
    ),
    "by_last": Row(
        "all columns but the last, divided by (the last + 1e-6)",
        ("x",),
        lambda inputs, attrs: [(*inputs["x"].shape[:-1], attrs["width"])],
        attrs=("width",),
        saves=by_last_saves,
    ),
    "decay_rates": Row(
        "2^(-8 h / H) * (1 - layer / (layers - 1 + 1e-5) + 1e-5) for heads h = 1..H, (H,)",
        (),
        declared,
        dtype="float",
        part="attention",
        attrs=("shape", "heads", "layers"),
    ),
    "attend_linearly": Row(
        "inputs q, k, v, optional rates: the sum over keys j of (q_i . k_j) v_j; with "
        "`causal` over j <= i; with rates, times exp(-rate * (i - j)). With `cached`, "
        "previous tokens are included; the state is the sum of their products k v^T",
        ("q", "k", "v", "rates?"),
        attend_shape,
        flops=linear_attend_flops,
        part="attention",
        attrs=("causal", "formula", "cached", "heads", "kv_heads"),
        saves=linear_attend_saves,
        stores=linear_attend_stores,
    ),
}
