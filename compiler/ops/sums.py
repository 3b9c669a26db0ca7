"""Attention without pairwise scores: sums over the keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..axes import ONE, Dim
from ..cost import Poly, elements
from ..graph import Op, Value, Weight
from ..sizes import number
from .attention import attend_shape
from .row import NORMAL, Attrs, Row, declared
from .saved import Kept, Own, Saving, operand, view


def pool_weights(attrs: Attrs) -> tuple[Weight, ...]:
    return (Weight("", (attrs["heads"].size, attrs["width"].size), NORMAL),)


CHUNK = 96
"""Chunk length of chunked causal linear attention."""


@dataclass(frozen=True)
class Chunks:
    """The chunks of a length; the last one may be shorter.

    number  of chunks
    pairs   of tokens in the same chunk: the sum of the squares of their lengths
    most    tokens of a chunk
    several whether there are several: 1 or 0
    """

    number: Poly
    pairs: Poly
    most: Poly
    several: Poly

    @classmethod
    def of(cls, length: Dim) -> Chunks:
        if length.size is None:
            return cls(*[Poly.of(letter) for letter in "QPCW"])
        letters = chunk_letters(int(length.size))
        return cls(*[Poly.of(letters[letter]) for letter in "QPCW"])


def chunk_letters(tokens: int) -> dict[str, int]:
    """Values of the letters of chunks in costs."""
    whole, rest = divmod(tokens, CHUNK)
    number = whole + bool(rest)
    return {
        "Q": number,
        "P": whole * CHUNK**2 + rest**2,
        "C": min(tokens, CHUNK),
        "W": int(number > 1),
    }


def pool_heads_flops(op: Op, values: dict[str, Value]) -> Poly:
    """FLOPs of the scores of all tokens; the weighted sum is not a matrix product."""
    return 2 * elements(values[op.arg("x")].shape)


def linear_attend_flops(op: Op, values: dict[str, Value]) -> Poly:
    """FLOPs of keys times values, queries times their sum and, if causal, pairs in chunks."""
    q, k, v = (values[op.arg(slot)].shape for slot in ("q", "k", "v"))
    width = elements(v[-1:])
    sums = 2 * elements(k) * width + 2 * elements(q) * width
    if not op.attrs["causal"]:
        return sums
    return sums + 2 * elements(q[:2]) * Chunks.of(q[-2]).pairs * (elements(q[-1:]) + width)


# -- tensors saved for the backward pass


def pool_heads_saves(s: Saving) -> Iterator[Kept]:
    """Its input and the weights of the tokens, and copies of the input and the vectors."""
    tokens, vectors = s.rows("x"), elements((*s.shape("x")[:2], s.shape("x")[-1]))
    yield from ("x", Own("float", tokens))
    if not s.single:  # of one sequence, x is viewed and the vectors are read in place
        yield Own("float", s.size("x") + vectors)
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
    chunks = Chunks.of(q[-2])
    for slot in "qkv":
        yield s.own(slot, "wide") if s.narrow else operand(s, slot)
        made = s.source(slot)
        while made is not None and made.op.kind == "without_padding":
            made = made.source("x")
        if made is not None and made.op.kind == "softmax" and not s.narrow:
            yield Own("float", chunks.several * s.size(slot))  # copies; softmax saves the whole
    yield Own("wide", heads * (chunks.pairs + chunks.number * state))
    if s.given("rates"):  # keys times their decay, less those of the last chunk, and the decays
        keys = (chunks.number + -1) * chunks.most
        yield Own("wide", heads * keys * elements(k[-1:]))
        yield Own("wide", elements(q[1:2]) * (chunks.most * chunks.most + chunks.most + keys))


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
        uses_layer=True,
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
    ),
}
