"""Attention without scores of pairs: sums over the keys, made once."""

from __future__ import annotations

from ..axes import ONE
from ..cost import Poly, elements
from ..graph import Op, Value, Weight
from .attention import attend_shape
from .row import NORMAL, Attrs, Row, declared


def pool_weights(attrs: Attrs) -> tuple[Weight, ...]:
    return (Weight("", (attrs["heads"].size, attrs["width"].size), NORMAL),)


CHUNK = 64
"""So many tokens are compared with one another where sums over all keys before them run along."""


def pool_heads_flops(op: Op, values: dict[str, Value]) -> Poly:
    return 4 * elements(values[op.arg("x")].shape)


def linear_attend_flops(op: Op, values: dict[str, Value]) -> Poly:
    """Keys times values, queries times their sum; with an order, the pairs of a chunk besides."""
    q, k, v = (values[op.arg(slot)].shape for slot in ("q", "k", "v"))
    sums = 2 * elements(k) * elements(v[-1:]) + 2 * elements(q) * elements(v[-1:])
    if not op.attrs["causal"]:
        return sums
    return sums + 2 * CHUNK * (elements(q) + elements(v))


ROWS: dict[str, Row] = {
    "pool_heads": Row(
        "inputs x (B, H, T, E), attention_mask or '': the sum of x over real tokens, weighed by "
        "softmax(vector . x / sqrt(E)) over these, where each head has its vector, (B, H, 1, E)",
        ("x", "attention_mask?"),
        lambda inputs, attrs: [(*inputs["x"].shape[:2], ONE, inputs["x"].shape[-1])],
        pool_weights,
        pool_heads_flops,
        part="attention",
        attrs=("dropout", "heads", "kv_heads", "width"),
    ),
    "without_padding": Row(
        "inputs x (B, H, T, E), attention_mask or '': x, 0 at padding", ("x", "attention_mask?")
    ),
    "append_ones": Row(
        "one column more, of ones: what is summed with it counts the weights",
        ("x",),
        lambda inputs, attrs: [(*inputs["x"].shape[:-1], inputs["x"].shape[-1] + 1)],
    ),
    "by_last": Row(
        "all columns but the last, divided by (the last + 1e-6)",
        ("x",),
        lambda inputs, attrs: [(*inputs["x"].shape[:-1], attrs["width"])],
        attrs=("width",),
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
        "inputs q, k, v, rates or '': the sum over keys j of (q_i . k_j) v_j, with `causal` over "
        "j <= i and, with rates, times exp(-rate * (i - j)). With `cached`, keys and values of "
        "tokens before count too: the state is the sum of their products",
        ("q", "k", "v", "rates?"),
        attend_shape,
        flops=linear_attend_flops,
        part="attention",
        attrs=("causal", "formula", "cached", "heads", "kv_heads"),
    ),
}
