"""One row per op: what it computes, its result's shape, its weights, its matrix FLOPs.

Backends know these ops and nothing above them. FLOPs count multiply-adds as 2 and, as is usual in
the field, only those of matrix products; what is left is memory traffic, not arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from .axes import ONE, B, Dim, S, Shape, T
from .cost import Poly, elements
from .graph import Initial, Op, Value, Weight
from .sizes import Size

Attrs = dict[str, Any]
ONES, ZEROS, NORMAL = Initial("ones"), Initial("zeros"), Initial("normal")


def same(inputs: list[Value], attrs: Attrs) -> list[Shape]:
    return [inputs[0].shape]


def declared(inputs: list[Value], attrs: Attrs) -> list[Shape]:
    """The shape that lowering gave, for ops whose result is no function of their inputs' shapes."""
    return [attrs["shape"]]


def last(inputs: list[Value], attrs: Attrs) -> list[Shape]:
    return [(*inputs[0].shape[:-1], attrs["out_dim"])]


def broadcast(inputs: list[Value], attrs: Attrs) -> list[Shape]:
    """Axes stand one above the other from the right; where one is 1, the other one is meant."""
    length = max(len(value.shape) for value in inputs)
    shapes = [(ONE,) * (length - len(value.shape)) + value.shape for value in inputs]
    columns = zip(*shapes, strict=True)
    return [tuple(next((d for d in column if d.label != "1"), ONE) for column in columns)]


def none(attrs: Attrs) -> tuple[Weight, ...]:
    return ()


def no_flops(op: Op, values: dict[str, Value]) -> Poly:
    return Poly()


# -- weights


def linear_weights(attrs: Attrs) -> tuple[Weight, ...]:
    out: Dim = attrs["out_dim"]
    assert out.size is not None
    initial = Initial("normal", residual=attrs.get("residual", False))
    weight = Weight("weight", (out.size, attrs["in_features"]), initial, attrs.get("tied", ""))
    if not attrs["bias"]:
        return (weight,)
    return (weight, Weight("bias", (out.size,), ZEROS))


def again_weights(attrs: Attrs) -> tuple[Weight, ...]:
    """Those of the linear op that `module` names."""
    names = ("weight", "bias") if attrs["bias"] else ("weight",)
    return tuple(
        replace(weight, tied=f"{attrs['module']}.{name}")
        for name, weight in zip(names, linear_weights(attrs), strict=True)
    )


def embedding_weights(attrs: Attrs) -> tuple[Weight, ...]:
    shape = (attrs["rows"], attrs["out_dim"].size)
    return (Weight("weight", shape, NORMAL, attrs.get("tied", "")),)


def norm_weights(attrs: Attrs) -> tuple[Weight, ...]:
    if not attrs["affine"]:
        return ()
    heads: Dim | None = attrs.get("per_head")
    width: Size = attrs["dim"].size
    shape = (width,) if heads is None or heads.size is None else (heads.size, width)
    offset = attrs.get("weight_offset", 0)
    initial = ZEROS if offset == 1 else Initial("constant", 1 - offset) if offset else ONES
    weight = Weight("weight", shape, initial)
    return (weight, Weight("bias", shape, ZEROS)) if attrs.get("bias") else (weight,)


def vector_weights(attrs: Attrs) -> tuple[Weight, ...]:
    return (Weight("", (attrs["dim"].size,), Initial("constant", attrs["initial"])),)


def head_weights(attrs: Attrs) -> tuple[Weight, ...]:
    return (Weight("", (attrs["heads"].size, attrs["width"].size), ZEROS),)


def bias_weights(attrs: Attrs) -> tuple[Weight, ...]:
    initial = Initial("constant", attrs["initial"]) if "initial" in attrs else ZEROS
    return (Weight("", (attrs["dim"].size,), initial, trained=attrs.get("trained", True)),)


def expert_weights(attrs: Attrs) -> tuple[Weight, ...]:
    shape = (attrs["experts"], attrs["out_dim"].size, attrs["in_features"])
    return (Weight("", shape, Initial("normal", residual=attrs["residual"])),)


def expert_bias_weights(attrs: Attrs) -> tuple[Weight, ...]:
    return (Weight("", (attrs["experts"], attrs["out_dim"].size), ZEROS),)


def table_weights(attrs: Attrs) -> tuple[Weight, ...]:
    return (Weight("weight", tuple(dim.size for dim in attrs["shape"]), NORMAL),)


def inserted_weights(attrs: Attrs) -> tuple[Weight, ...]:
    return (Weight("", (attrs["rows"], attrs["out_dim"].size), NORMAL),)


def patch_weights(attrs: Attrs) -> tuple[Weight, ...]:
    patch, width = attrs["patch"], attrs["out_dim"].size
    weight = Weight("weight", (width, attrs["channels"], patch, patch), NORMAL)
    return (weight, Weight("bias", (width,), ZEROS)) if attrs["bias"] else (weight,)


def convolution_weights(attrs: Attrs) -> tuple[Weight, ...]:
    width = attrs["out_dim"].size
    read = Size.of(1) if attrs["each"] else attrs["channels"]
    weight = Weight("weight", (width, read, attrs["kernel"]), NORMAL)
    return (weight, Weight("bias", (width,), ZEROS)) if attrs["bias"] else (weight,)


def bucket_weights(attrs: Attrs) -> tuple[Weight, ...]:
    return (Weight("weight", (attrs["buckets"], attrs["heads"].size), NORMAL),)


# -- FLOPs


def linear_flops(op: Op, values: dict[str, Value]) -> Poly:
    return 2 * int(op.attrs["in_features"]) * elements(values[op.outputs[0]].shape)


def patch_flops(op: Op, values: dict[str, Value]) -> Poly:
    read = int(op.attrs["channels"]) * int(op.attrs["patch"]) ** 2
    return 2 * read * elements(values[op.outputs[0]].shape)


def convolution_flops(op: Op, values: dict[str, Value]) -> Poly:
    read = 1 if op.attrs["each"] else int(op.attrs["channels"])
    return 2 * read * int(op.attrs["kernel"]) * elements(values[op.outputs[0]].shape)


def attend_flops(op: Op, values: dict[str, Value]) -> Poly:
    """Scores and weighted sum over every pair; the report scales by the mask's density."""
    q, k, v = (values[name].shape for name in op.inputs[:3])
    pairs = elements(q[:-1]) * elements(k[-2:-1])
    return 2 * pairs * elements(q[-1:]) + 2 * pairs * elements(v[-1:])


def score_weights(attrs: Attrs) -> tuple[Weight, ...]:
    shape = (attrs["heads"].size, attrs["width"].size)
    return (Weight("", shape, Initial("constant", 1.0)),)


def pool_weights(attrs: Attrs) -> tuple[Weight, ...]:
    return (Weight("", (attrs["heads"].size, attrs["width"].size), NORMAL),)


def sink_weights(attrs: Attrs) -> tuple[Weight, ...]:
    return (Weight("", (attrs["heads"].size,), ZEROS),)


def position_flops(op: Op, values: dict[str, Value]) -> Poly:
    """Every content with every row of the positions, of which the places are then taken."""
    contents, positions = (values[name].shape for name in op.inputs[:2])
    return 2 * elements(contents) * elements(positions[-2:-1])


def pool_flops(op: Op, values: dict[str, Value]) -> Poly:
    return 2 * elements(values[op.inputs[0]].shape) if op.attrs["how"] == "attention" else Poly()


CHUNK = 64
"""So many tokens are compared with one another where sums over all keys before them run along."""


def pool_heads_flops(op: Op, values: dict[str, Value]) -> Poly:
    return 4 * elements(values[op.inputs[0]].shape)


def linear_attend_flops(op: Op, values: dict[str, Value]) -> Poly:
    """Keys times values, queries times their sum; with an order, the pairs of a chunk besides."""
    q, k, v = (values[name].shape for name in op.inputs[:3])
    sums = 2 * elements(k) * elements(v[-1:]) + 2 * elements(q) * elements(v[-1:])
    if not op.attrs["causal"]:
        return sums
    return sums + 2 * CHUNK * (elements(q) + elements(v))


def similarity_flops(op: Op, values: dict[str, Value]) -> Poly:
    width = values[op.inputs[0]].shape[-1]
    return 2 * elements(values[op.outputs[0]].shape) * elements((width,))


# -- shapes


def split_shape(inputs: list[Value], attrs: Attrs) -> list[Shape]:
    *batch, length, _ = inputs[0].shape
    return [(*batch, attrs["heads"], length, attrs["width"])]


def merge_shape(inputs: list[Value], attrs: Attrs) -> list[Shape]:
    batch, heads, length, width = inputs[0].shape
    return [(batch, length, heads * width)]


def patch_shape(inputs: list[Value], attrs: Attrs) -> list[Shape]:
    return [(inputs[0].shape[0], attrs["length"], attrs["out_dim"])]


def convolved_shape(inputs: list[Value], attrs: Attrs) -> list[Shape]:
    return [(inputs[0].shape[0], attrs["out_dim"], attrs["length"])]


def swapped_shape(inputs: list[Value], attrs: Attrs) -> list[Shape]:
    *batch, one, other = inputs[0].shape
    return [(*batch, other, one)]


def insert_shape(inputs: list[Value], attrs: Attrs) -> list[Shape]:
    batch, _, width = inputs[0].shape
    return [(batch, attrs["length"], width)]


def rope_shape(inputs: list[Value], attrs: Attrs) -> list[Shape]:
    width: Size = attrs["width"]
    half = Dim("R/2", width // 2)
    return [(*inputs[0].shape, half)] * 2


def cached_shape(inputs: list[Value], attrs: Attrs) -> list[Shape]:
    return [(*v.shape[:-2], S, v.shape[-1]) for v in inputs]


def joined_shape(inputs: list[Value], attrs: Attrs) -> list[Shape]:
    return [(*inputs[0].shape[:-1], attrs["dim"])]


def expanded_shape(inputs: list[Value], attrs: Attrs) -> list[Shape]:
    batch, _, *rest = inputs[0].shape
    return [(batch, attrs["heads"], *rest)]


def attend_shape(inputs: list[Value], attrs: Attrs) -> list[Shape]:
    return [(*inputs[0].shape[:-1], inputs[2].shape[-1])]


def position_shape(inputs: list[Value], attrs: Attrs) -> list[Shape]:
    return [(*inputs[0].shape[:2], *inputs[2].shape)]


def chosen_shape(inputs: list[Value], attrs: Attrs) -> list[Shape]:
    """Of `top_k` weights and as many numbers."""
    return [(*inputs[0].shape[:-1], Dim("A", attrs["top_k"]))] * 2


def like_second(inputs: list[Value], attrs: Attrs) -> list[Shape]:
    return [inputs[1].shape]


def flat_shape(inputs: list[Value], attrs: Attrs) -> list[Shape]:
    return [(Dim("J", None, inputs[0].shape),)]


def rows_shape(inputs: list[Value], attrs: Attrs) -> list[Shape]:
    return [(inputs[1].shape[0], inputs[0].shape[-1])]


def combined_shape(inputs: list[Value], attrs: Attrs) -> list[Shape]:
    return [(*inputs[2].shape[:-1], inputs[0].shape[-1])]


def pool_shape(inputs: list[Value], attrs: Attrs) -> list[Shape]:
    return [(inputs[0].shape[0], inputs[0].shape[-1])]


def mask_shape(inputs: list[Value], attrs: Attrs) -> list[Shape]:
    keys: Dim = attrs["keys"]
    queries = attrs.get("queries", T)
    if attrs.get("alike"):
        return [(queries, keys)]
    return [(B, ONE, queries, keys)]


@dataclass(frozen=True, eq=False)
class Row:
    """One kind of op."""

    formula: str
    shape: Callable[[list[Value], Attrs], list[Shape]] = same
    weights: Callable[[Attrs], tuple[Weight, ...]] = none
    flops: Callable[[Op, dict[str, Value]], Poly] = no_flops
    dtype: str = ""  # "" is that of the first input; one word for each result, or for all
    part: str = "other"  # what the report counts it under, unless its scope says otherwise


OPS: dict[str, Row] = {
    # data and positions. `start` and `end` number the new tokens among all tokens seen so far:
    # without a cache they are 0 and T.
    "argument": Row("an argument of forward", declared),
    "layer_input": Row(
        "the stream as it enters a layer: the input for the first one, then what the layer before "
        "it gave"
    ),
    "position_ids": Row(
        "the `position_ids` argument if given, else start..end; with rule `mask` or `tokens`: "
        "cumsum(m) * m - 1 with m = attention_mask, or m = (ids != pad). Inputs: position_ids "
        "argument, and for the two rules the mask or the ids. Then + offset",
        declared,
        dtype="int",
        part="positions",
    ),
    "mask": Row(
        "True where a query may see a key. Inputs, each optional: attention_mask, document_ids, "
        "prefix_length, global_mask. attrs: formula (a mask tree), keys (axis S, or M for a "
        "memory, which has attention_mask only), alike (the same for every sequence: no data)",
        mask_shape,
        dtype="bool",
        part="attention",
    ),
    "head_masks": Row(
        "a mask for each of several equal runs of heads, in order, as one (B, H, T, S)",
        declared,
        dtype="bool",
        part="attention",
    ),
    "global_rows": Row(
        "True at the queries that are global: where global_mask (an optional input) is 1, or in "
        "one of the `ranges`, whose negative ends count from the end",
        declared,
        dtype="bool",
        part="attention",
    ),
    "sinusoid": Row(
        "sin and cos of position * 10000^(-i/d), d = width/2 or width/2 - 1, side by side "
        "(layout concat) or alternating (interleaved)",
        declared,
        dtype="float",
        part="positions",
    ),
    "rope_table": Row(
        "cos and sin of position * frequency_i, frequency_i = theta^(-2i/width), scaled: `scaling` "
        "has a type and its numbers (dynamic and longrope look at the greatest position too), and "
        "may multiply cos and sin",
        rope_shape,
        dtype="float",
        part="positions",
    ),
    "rotate": Row(
        "inputs x, cos, sin: rotates pairs of the first (with `end`, the last) `width` columns of "
        "each head by the angle of its position; pairs are (i, i + width/2) or, interleaved, "
        "(2i, 2i + 1)",
        part="positions",
    ),
    "alibi": Row(
        "-slope_h * |query - key|, times `scale`", declared, dtype="float", part="positions"
    ),
    "grid_offsets": Row(
        "the row of a table for each pair of patches on a square grid: with n = 2 * grid - 1, "
        "(rows down from key to query + grid - 1) * n + (columns likewise); behind these n^2 "
        "rows, where tokens stand in `front`: one of them is the query, the key, both",
        declared,
        dtype="int",
        part="positions",
    ),
    "relative_buckets": Row(
        "the bucket of key - query: T5's, half of them exact, half logarithmic up to "
        "max_distance; bidirectional: one half of the buckets for keys behind the query",
        declared,
        dtype="int",
        part="positions",
    ),
    "relative_bias": Row(
        "weight[bucket, h], as (H, T, S)",
        declared,
        bucket_weights,
        dtype="float",
        part="positions",
    ),
    "relative_places": Row(
        "the row of a table of relative positions that belongs to query - key = d: clamp(d, -r, "
        "r - 1) + r. With rule `log`, r is `buckets` and d becomes its bucket first: d itself up "
        "to half of them, then sign(d) * (h + ceil((h - 1) * log(|d| / h) / log((max_distance - "
        "1) / h))) with h = buckets // 2; with rule `each`, r is `max_distance`, with `all` the "
        "number of tokens",
        declared,
        dtype="int",
        part="positions",
    ),
    "relative_positions": Row(
        "every relative position in rising order, -n..n-1 of n tokens",
        declared,
        dtype="int",
        part="positions",
    ),
    "position_scores": Row(
        "inputs x (B, H, T or S, E), positions (H, U, E), places (T, S): x . positions[place], "
        "where x is that of the query or of the key (attr `side`)",
        position_shape,
        flops=position_flops,
        part="positions",
    ),
    "masked_bias": Row("inputs bias, mask: bias where the mask admits, else -inf", broadcast),
    # embeddings, linear layers, norms
    "embedding": Row(
        "weight[ids]",
        lambda inputs, attrs: [(*inputs[0].shape, attrs["out_dim"])],
        embedding_weights,
        dtype="float",
        part="embedding",
    ),
    "table": Row(
        "a learned table as it is", declared, table_weights, dtype="float", part="embedding"
    ),
    "patchify": Row(
        "the numbers of each square patch of an image (channels, then rows, then columns), "
        "@ weight.T + bias; patches row by row from the top left, what is left over at the right "
        "and the bottom is not read",
        patch_shape,
        patch_weights,
        patch_flops,
        part="embedding",
    ),
    "convolve": Row(
        "y[o, t] = bias[o] + the sum over i and j of weight[o, i, j] * x[i, t * stride + (j - "
        "kernel // 2) * dilation], zeros outside of x; with `each`, every channel has a filter "
        "of its own and reads no other",
        convolved_shape,
        convolution_weights,
        convolution_flops,
        part="embedding",
    ),
    "swap_axes": Row("(B, D, T) to (B, T, D)", swapped_shape),
    "insert_tokens": Row(
        "the rows of the weight stand in each sequence, from place `at` on",
        insert_shape,
        inserted_weights,
        part="embedding",
    ),
    "linear": Row(
        "x @ weight.T + bias; with `wide`, computed in float32 or wider",
        last,
        linear_weights,
        linear_flops,
    ),
    "linear_again": Row(
        "the linear layer of the same name, in the same module, applied to another input",
        last,
        again_weights,
        linear_flops,
    ),
    "layer_norm": Row(
        "(x - mean) / sqrt(var + eps) * (weight + weight_offset) + bias, over the last axis; "
        "per_head: x is (B, H, T, E) and each head has its own weight (H, E)",
        same,
        norm_weights,
        part="norm",
    ),
    "rms_norm": Row(
        "x / sqrt(mean(x^2) + eps) * (weight + weight_offset)", same, norm_weights, part="norm"
    ),
    # elementwise
    "activation": Row("the function `function` (and `beta` for swish)"),
    "add": Row("a + b", broadcast),
    "multiply": Row("a * b", broadcast),
    "scale": Row("x * factor (a number, a Field, or the words sqrt_d_model)"),
    "by_layer": Row("x / the number of the layer, from 1"),
    "clamp": Row("x limited to -low..high (low may be None: no lower limit)"),
    "shift": Row("x + amount"),
    "softcap": Row("cap * tanh(x / cap)"),
    "learned_scale": Row("x * vector", same, vector_weights),
    "head_bias": Row("x + the vector of each head (H, E)", same, head_weights, part="positions"),
    "add_bias": Row(
        "x + vector; with `trained` false, the vector gets no gradient", same, bias_weights
    ),
    "dropout": Row("in training, zero with probability `rate`, the rest scaled by 1/(1 - rate)"),
    "drop_path": Row("in training, the whole branch of a sequence is zero with probability rate"),
    "l2_normalize": Row("x / max(|x|, 1e-12) over the last axis"),
    # attention
    "split_heads": Row("(B, T, H*E) to (B, H, T, E), or the same without B", split_shape),
    "merge_heads": Row("(B, H, T, E) to (B, T, H*E)", merge_shape),
    "expand_heads": Row("(B, 1, T, E) to (B, H, T, E): one for all heads", expanded_shape),
    "concat": Row("the inputs side by side along the last axis", joined_shape),
    "cache": Row(
        "two values (..., T, E) of the new tokens, such as k and v, to those of all tokens seen "
        "so far, (..., S, E)",
        cached_shape,
    ),
    "score_vector": Row(
        "a learned vector for each head, (H, E)",
        lambda inputs, attrs: [(attrs["heads"], attrs["width"])],
        score_weights,
        dtype="float",
        part="attention",
    ),
    "sinks": Row(
        "a learned number for each head, (H,)",
        lambda inputs, attrs: [(attrs["heads"],)],
        sink_weights,
        dtype="float",
        part="attention",
    ),
    "select": Row(
        "inputs chosen, a, b: a where chosen, else b",
        lambda inputs, attrs: [inputs[1].shape],
        dtype="float",
        part="attention",
    ),
    "attend": Row(
        "inputs q, k, v, mask or '', bias or '', and sinks, if any. softmax(cap(q k^T * scale) + "
        "bias over the keys that the mask admits) v; rows that see nothing give 0. A head's sink "
        "joins the softmax as the score of one more key, whose value is 0. Query head h reads key "
        "head "
        "h // (H/K). With attr score `distance`, -|q - k|^2 stands for q k^T; with `additive`, "
        "vector . tanh(q + k), where the vector of each head is the last input. attrs: scale (a "
        "number, a Field, or None = 1/sqrt(E)), score, softcap or None, dropout, formula, kernel",
        attend_shape,
        flops=attend_flops,
        part="attention",
    ),
    # sums instead of scores of pairs
    "pool_heads": Row(
        "inputs x (B, H, T, E), attention_mask or '': the sum of x over real tokens, weighed by "
        "softmax(vector . x / sqrt(E)) over these, where each head has its vector, (B, H, 1, E)",
        lambda inputs, attrs: [(*inputs[0].shape[:2], ONE, inputs[0].shape[-1])],
        pool_weights,
        pool_heads_flops,
        part="attention",
    ),
    "without_padding": Row("inputs x (B, H, T, E), attention_mask or '': x, 0 at padding"),
    "append_ones": Row(
        "one column more, of ones: what is summed with it counts the weights",
        lambda inputs, attrs: [(*inputs[0].shape[:-1], inputs[0].shape[-1] + 1)],
    ),
    "by_last": Row(
        "all columns but the last, divided by (the last + 1e-6)",
        lambda inputs, attrs: [(*inputs[0].shape[:-1], attrs["width"])],
    ),
    "decay_rates": Row(
        "2^(-8 h / H) * (1 - layer / (layers - 1 + 1e-5) + 1e-5) for heads h = 1..H, (H,)",
        declared,
        dtype="float",
        part="attention",
    ),
    "attend_linearly": Row(
        "inputs q, k, v, rates or '': the sum over keys j of (q_i . k_j) v_j, with `causal` over "
        "j <= i and, with rates, times exp(-rate * (i - j)). With `cached`, keys and values of "
        "tokens before count too: the state is the sum of their products",
        attend_shape,
        flops=linear_attend_flops,
        part="attention",
    ),
    # experts: J = B * T * A pairs of a token and an expert
    "softmax": Row("exp(x) / sum(exp(x)) over the last axis"),
    "best_groups": Row(
        "scores of X experts, -inf outside the `kept` best of `groups` equal runs of them; a run "
        "is as good as the sum of its `members` best scores"
    ),
    "top_k": Row(
        "the `top_k` largest numbers of the last axis, and their places, best first",
        chosen_shape,
        dtype="float int",
    ),
    "gather": Row(
        "inputs x, places: the numbers of x at these places of its last axis", like_second
    ),
    "sum_to_one": Row("x / (sum(x) + 1e-20) over the last axis"),
    "sparse_mixer": Row(
        "`top_k` times the best expert that is left; its weight is its softmax among those left "
        "whose (best - logit) / max(|logit|, best) is at most 2 * jitter. Results: weights, places",
        chosen_shape,
        dtype="float int",
    ),
    "within_capacity": Row(
        "inputs weights, chosen, both (B, T, A): the weights, 0 where `capacity` tokens of the "
        "sequence chose the expert before (a token's first choice is before its second). "
        "Where capacity is None it is factor * T * top_k / experts, rounded up"
    ),
    "assign": Row("the expert of each pair, from the places that `top_k` gave", flat_shape),
    "rows": Row("inputs x, experts of the pairs: the token of each pair", rows_shape),
    "expert_linear": Row(
        "inputs x, experts of the pairs: x[j] @ weight[expert[j]].T",
        last,
        expert_weights,
        linear_flops,
    ),
    "expert_bias": Row(
        "inputs x, experts of the pairs: x[j] + bias[expert[j]]", same, expert_bias_weights
    ),
    "combine": Row(
        "inputs x, experts of the pairs, weights: the sum of each token's pairs by their weights",
        combined_shape,
    ),
    # results
    "similarity": Row(
        "inputs a, b, both (B, N): a @ b.T",
        lambda inputs, attrs: [(inputs[0].shape[0], inputs[1].shape[0])],
        flops=similarity_flops,
    ),
    "exp_scale": Row("x * exp(the learned number)", same, vector_weights),
    "pool": Row(
        "one vector per sequence. Inputs x, attention_mask or '', and for `attention` scores "
        "(B, T, 1), for `token` the ids. how: first (token), last (real token), mean, max (over "
        "real tokens), attention (softmax of the scores over real tokens), token (the first "
        "place where ids == id). skip: leading tokens that a mean leaves out",
        pool_shape,
        flops=pool_flops,
    ),
}
