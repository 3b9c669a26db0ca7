"""Mixtures of experts. J = B * T * A pairs of a token and an expert."""

from __future__ import annotations

from ..axes import Dim, Shape
from ..graph import Initial, Weight
from .layers import linear_flops
from .row import ZEROS, Attrs, Inputs, Row, last, same


def expert_weights(attrs: Attrs) -> tuple[Weight, ...]:
    shape = (attrs["experts"], attrs["out_dim"].size, attrs["in_features"])
    return (Weight("", shape, Initial("normal", residual=attrs["residual"])),)


def expert_bias_weights(attrs: Attrs) -> tuple[Weight, ...]:
    return (Weight("", (attrs["experts"], attrs["out_dim"].size), ZEROS),)


def chosen_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    """Of `top_k` weights and as many numbers."""
    return [(*inputs["scores"].shape[:-1], Dim("A", attrs["top_k"]))] * 2


def like_second(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    return [inputs["places"].shape]


def flat_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    return [(Dim("J", None, inputs["chosen"].shape),)] * 2


def rows_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    return [(inputs["order"].shape[0], inputs["x"].shape[-1])]


def combined_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    return [(*inputs["weights"].shape[:-1], inputs["x"].shape[-1])]


ROWS: dict[str, Row] = {
    "softmax": Row("exp(x) / sum(exp(x)) over the last axis", ("x",)),
    "best_groups": Row(
        "scores of X experts, -inf outside the `kept` best of `groups` equal runs of them; a run "
        "is as good as the sum of its `members` best scores",
        ("scores",),
        attrs=("groups", "kept", "members"),
    ),
    "top_k": Row(
        "the `top_k` largest numbers of the last axis, and their places, best first",
        ("scores",),
        chosen_shape,
        dtype="float int",
        attrs=("top_k",),
    ),
    "gather": Row(
        "inputs x, places: the numbers of x at these places of its last axis",
        ("x", "places"),
        like_second,
    ),
    "sum_to_one": Row("x / (sum(x) + 1e-20) over the last axis", ("x",)),
    "sparse_mixer": Row(
        "`top_k` times the best expert that is left; its weight is its softmax among those left "
        "whose (best - logit) / max(|logit|, best) is at most 2 * jitter. Results: weights, places",
        ("scores",),
        chosen_shape,
        dtype="float int",
        attrs=("top_k", "jitter"),
    ),
    "within_capacity": Row(
        "inputs weights, chosen, both (B, T, A): the weights, 0 where `capacity` tokens of the "
        "sequence chose the expert before (a token's first choice is before its second). "
        "Where capacity is None it is factor * T * top_k / experts, rounded up",
        ("weights", "chosen"),
        attrs=("experts", "top_k", "capacity", "factor"),
    ),
    "assign": Row(
        "pairs of a token and an expert, from the experts chosen for each token (B, T, A), sorted "
        "by expert. Results: the expert of each pair, and its place in `chosen` as one row",
        ("chosen",),
        flat_shape,
    ),
    "rows": Row(
        "inputs x, places of the pairs, experts chosen for each token: the token of each pair",
        ("x", "order", "chosen"),
        rows_shape,
    ),
    "expert_linear": Row(
        "inputs x, experts of the pairs: x[j] @ weight[expert[j]].T",
        ("x", "expert"),
        last,
        expert_weights,
        linear_flops,
        attrs=("residual", "in_features", "out_dim", "experts", "top_k"),
    ),
    "expert_bias": Row(
        "inputs x, experts of the pairs: x[j] + bias[expert[j]]",
        ("x", "expert"),
        same,
        expert_bias_weights,
        attrs=("in_features", "out_dim", "experts", "top_k"),
    ),
    "weigh_rows": Row(
        "inputs x, places of the pairs, weights: each pair by its weight",
        ("x", "order", "weights"),
    ),
    "sum_pairs": Row(
        "inputs x, places of the pairs, weights (their shape): the sum of each token's pairs",
        ("x", "order", "weights"),
        combined_shape,
    ),
    "combine": Row(
        "inputs x, places of the pairs, weights: the sum of each token's pairs by their weights",
        ("x", "order", "weights"),
        combined_shape,
    ),
}
