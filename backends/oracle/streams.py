"""Stacks with several streams (Jumper et al., 2021, supplementary information, section 1.6)."""

from typing import Any

import numpy as np

from ...spec.attention import Mha
from ...spec.model import Block, Stack
from ...spec.sublayers import OuterProductMean, TriangleMultiplication
from .branches import branches, own
from .context import Tokens
from .feed_forward import feed_forward
from .gates import joined_by, weighed
from .pointwise import normalize, sigmoid, softmax
from .weights import Array, Weights, has_bias, unknown

Streams = dict[str, Array]


def run_streams(stack: Stack, weights: Weights, given: dict[str, Array]) -> Streams:
    """The streams of one example after all layers, each (first, second, width)."""
    streams = {}
    for name, part in stack.streams.items():
        source: Any = part.input
        x = np.asarray(given[source.argument], np.float64)
        if x.shape[-1] != part.d_model:
            x = weights.linear(f"{name}_projection", x, part.d_model, bias=bool(source.bias))
        streams[name] = x
    modules: list[str | int] = []
    for number, name in enumerate(stack.order):
        block = stack.blocks[name]
        owner = name if block.share else number
        if owner not in modules:
            modules.append(owner)
        streams = run_layer(block, weights.below(f"layers.{modules.index(owner)}"), streams)
    return streams


def run_layer(block: Block, weights: Weights, streams: Streams) -> Streams:
    """One layer: the sublayers in order, each of which updates its stream."""
    start, streams = dict(streams), dict(streams)
    for key, part in branches(block).items():
        name = part.stream
        x = read = streams[getattr(part, "source", name)]
        if part.norm_placement in ("pre", "sandwich"):
            read = normalize(part.norm, weights, f"{key}_norm", x)
        y = sublayer(part, weights.below(key), read, streams)
        if part.norm_placement in ("sandwich", "output"):
            y = normalize(part.norm, weights, f"{key}_output_norm", y)
        residual: Any = own(block, part, "residual")
        if residual.type == "none":
            streams[name] = y
        else:
            y = residual.scale * weighed(residual, weights, key, y)
            froms = {"block": start[name], "input": streams[name], "normed": read}
            streams[name] = joined_by(residual, weights, key, froms[residual.from_], y)
        if part.norm_placement == "post":
            streams[name] = normalize(part.norm, weights, f"{key}_norm", streams[name])
    return streams


def sublayer(part: Any, weights: Weights, x: Array, streams: Streams) -> Array:
    """The output of a sublayer for its input, after the norm."""
    width = streams[part.stream].shape[-1]
    if isinstance(part, Mha):
        return attention(part, weights, x, streams)
    if isinstance(part, OuterProductMean):
        return outer_product_mean(part, weights, x, width)
    if isinstance(part, TriangleMultiplication):
        return triangle_multiplication(part, weights, x)
    rows = x.reshape(-1, width)
    tokens = Tokens(np.ones(len(rows), bool), np.arange(len(rows)), len(rows) - 1)
    return feed_forward(part, weights, rows, tokens).reshape(x.shape)


def attention(part: Any, weights: Weights, x: Array, streams: Streams) -> Array:
    """Algorithms 7, 8, 13 and 14: softmax attention along one axis, for each index of the other."""
    width, heads = x.shape[-1], part.heads
    head = part.head_dim or width // heads
    value = part.value_dim or head
    bias = pair_bias(part, weights, x, streams)
    scale = 1 / np.sqrt(head) if part.scale is None else 1.0 if part.scale == "none" else part.scale
    if part.scale == "by_layer":
        raise unknown("`scale: by_layer` of a stream")
    rows = x.swapaxes(0, 1) if part.axis == 0 else x
    found = []
    for row in rows:
        q, k, v = (
            weights.linear(name, row, heads * size, bias=has_bias(part, name)).reshape(
                len(row), heads, size
            )
            for name, size in (("query", head), ("key", head), ("value", value))
        )
        shares = softmax(scale * np.einsum("qhe,khe->hqk", q, k) + bias)
        y = np.einsum("hqk,khe->qhe", shares, v).reshape(len(row), -1)
        found.append(gated(part, weights, row, y, value))
    y = np.stack(found)
    y = y.swapaxes(0, 1) if part.axis == 0 else y
    return weights.linear("output", y, width, bias=has_bias(part, "output"))


def gated(part: Any, weights: Weights, x: Array, y: Array, value: int) -> Array:
    """y times the output gate, elementwise or per head."""
    if part.output_norm:
        raise unknown("`output_norm` of a stream")
    if part.output_gate == "none":
        return y
    if part.gate != "sigmoid":
        raise unknown("`gate: softplus` of a stream")
    each = part.output_gate == "elementwise"
    logits = weights.linear(
        "output_gate", x, y.shape[-1] if each else part.heads, bias=has_bias(part, "output_gate")
    )
    return y * (sigmoid(logits) if each else np.repeat(sigmoid(logits), value, axis=-1))


def pair_bias(part: Any, weights: Weights, x: Array, streams: Streams) -> Array:
    """(H, q, k): a linear layer of the pair (q, k), or with `transpose` of (k, q)."""
    total = np.zeros((part.heads, 1, 1))
    for bias in part.score_bias:
        pairs = x
        if bias.stream != part.stream:
            pairs = normalize(bias.norm, weights, "pair_norm", streams[bias.stream])
        y = weights.linear("pair_bias", pairs, part.heads, bias=False)
        total = total + y.transpose((2, 1, 0) if bias.transpose else (2, 0, 1))
    return total


def outer_product_mean(part: OuterProductMean, weights: Weights, m: Array, width: int) -> Array:
    """Algorithm 10: the mean over s of a(s, i) outer b(s, j), then a linear layer."""
    a, b = (weights.linear(n, m, part.hidden, bias=bool(part.bias)) for n in ("left", "right"))
    sequences, residues, _ = m.shape
    o = np.zeros((residues, residues, part.hidden**2))
    for i in range(residues):
        for j in range(residues):
            mean = sum(np.outer(a[s, i], b[s, j]) for s in range(sequences)) / sequences
            o[i, j] = np.ravel(mean)
    return weights.linear("output", o, width, bias=bool(part.bias))


def triangle_multiplication(part: TriangleMultiplication, weights: Weights, z: Array) -> Array:
    """Algorithms 11 and 12."""
    bias = bool(part.bias)

    def linear(name: str, x: Array, size: int) -> Array:
        return weights.linear(name, x, size, bias=bias)

    a, b = (
        sigmoid(linear(f"{name}_gate", z, part.hidden)) * linear(name, z, part.hidden)
        for name in ("left", "right")
    )
    total = np.zeros_like(a)
    for i in range(len(z)):
        for j in range(len(z)):
            if part.direction == "outgoing":
                total[i, j] = (a[i] * b[j]).sum(axis=0)
            else:
                total[i, j] = (a[:, i] * b[:, j]).sum(axis=0)
    y = linear("output", normalize(part.norm, weights, "product_norm", total), z.shape[-1])
    return sigmoid(linear("output_gate", z, z.shape[-1])) * y
