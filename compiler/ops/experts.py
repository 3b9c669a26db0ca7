"""Mixtures of experts. J = B * T * A pairs of a token and an expert."""

from __future__ import annotations

from collections.abc import Iterator

from ..axes import Dim, Shape
from ..cost import elements
from ..graph import Initial, Weight
from ..sizes import number
from .layers import linear_flops
from .row import ONES, ZEROS, Attrs, Inputs, Row, last, same
from .saved import OUT, Kept, Own, Saving, keeps, view


def expert_weights(attrs: Attrs) -> tuple[Weight, ...]:
    shape = (attrs["experts"], attrs["out_dim"].size, attrs["in_features"])
    return (Weight("", shape, Initial("normal", residual=attrs["residual"])),)


def expert_bias_weights(attrs: Attrs) -> tuple[Weight, ...]:
    return (Weight("", (attrs["experts"], attrs["out_dim"].size), ZEROS),)


def expert_scale_weights(attrs: Attrs) -> tuple[Weight, ...]:
    offset = attrs["weight_offset"]
    initial = ZEROS if offset == 1 else Initial("constant", 1 - offset) if offset else ONES
    return (Weight("", (attrs["experts"], attrs["out_dim"].size), initial),)


def chosen_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    """The shape of `top_k` weights and indices."""
    return [(*inputs["scores"].shape[:-1], Dim("A", attrs["top_k"]))] * 2


def like_second(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    return [inputs["places"].shape]


def flat_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    return [(Dim("J", None, inputs["chosen"].shape),)] * 2


def rows_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    return [(inputs["order"].shape[0], inputs["x"].shape[-1])]


def combined_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    return [(*inputs["weights"].shape[:-1], inputs["x"].shape[-1])]


# -- tensors saved for the backward pass


def groups_saves(s: Saving) -> Iterator[Kept]:
    """The mask of groups that are not chosen."""
    members = number(s.shape("scores")[-1].size) // number(s.op.attrs["groups"])
    yield Own("bool", s.size("scores") * (1 / members))


def top_k_saves(s: Saving) -> Iterator[Kept]:
    yield s.own(OUT, "int")


def sum_to_one_saves(s: Saving) -> Iterator[Kept]:
    yield from ("x", Own("float", s.rows("x")))


def sparse_mixer_saves(s: Saving) -> Iterator[Kept]:
    """For each choice: its index, the mask of excluded experts, the softmax of the others."""
    for _ in range(number(s.op.attrs["top_k"])):
        yield Own("int", s.rows("scores"))
        yield from (s.own("scores", "bool"), s.own("scores"))


def capacity_saves(s: Saving) -> Iterator[Kept]:
    yield s.own("weights", "bool")


def router_loss_saves(s: Saving) -> Iterator[Kept]:
    """The balance loss keeps probabilities and the load of each expert; the z-loss logits and their
    log-sum-exp.
    """
    if s.op.attrs["balance"] is not None:
        yield Own("wide", s.size("logits") + elements(s.shape("logits")[-1:]))
        if s.op.attrs["score"] == "sigmoid":  # the sum of the scores, twice
            yield Own("wide", 2 * s.rows("logits"))
    if s.op.attrs["z"] is not None:
        yield from ("logits", Own("wide", s.rows("logits")))


def rows_saves(s: Saving) -> Iterator[Kept]:
    """The token of each pair, or the index of each pair of a token."""
    yield s.own("order", "int")


def expert_scale_saves(s: Saving) -> Iterator[Kept]:
    """The rows, their factors, and the expert of each."""
    yield from ("x", s.own("x"), "expert")


def weigh_rows_saves(s: Saving) -> Iterator[Kept]:
    """The rows, their weights and indices."""
    yield from ("x", s.own("order"), "order")


def combine_saves(s: Saving) -> Iterator[Kept]:
    """The rows in token order, the permutation, and the weights."""
    yield from (s.own("order", "int"), s.own("x"), "weights")


ROWS: dict[str, Row] = {
    "softmax": Row("exp(x) / sum(exp(x)) over the last axis", ("x",), saves=keeps(OUT)),
    "best_groups": Row(
        "scores of X experts, -inf outside the `kept` best of `groups` equal groups; the "
        "score of a group is the sum of its `members` best scores",
        ("scores",),
        attrs=("groups", "kept", "members"),
        saves=groups_saves,
    ),
    "top_k": Row(
        "the `top_k` largest elements of the last axis and their indices, largest first",
        ("scores",),
        chosen_shape,
        dtype="float int",
        attrs=("top_k",),
        saves=top_k_saves,
    ),
    "gather": Row(
        "inputs x, places: the elements of x at these indices of its last axis",
        ("x", "places"),
        like_second,
        saves=keeps("x", "places"),
    ),
    "sum_to_one": Row("x / (sum(x) + 1e-20) over the last axis", ("x",), saves=sum_to_one_saves),
    "sparse_mixer": Row(
        "chooses the best remaining expert `top_k` times; its weight is a softmax over the "
        "remaining experts with (best - logit) / max(|logit|, best) <= 2 * jitter. Results: "
        "weights, indices",
        ("scores",),
        chosen_shape,
        dtype="float int",
        attrs=("top_k", "jitter"),
        saves=sparse_mixer_saves,
    ),
    "within_capacity": Row(
        "inputs weights, chosen, both (B, T, A): the weights, 0 if `capacity` earlier tokens "
        "of the sequence chose the same expert (a token's first choice counts before its "
        "second). If capacity is None, it is factor * T * top_k / experts, rounded up",
        ("weights", "chosen"),
        attrs=("experts", "top_k", "capacity", "factor"),
        saves=capacity_saves,
    ),
    "router_loss": Row(
        "inputs weights, logits, chosen, attention_mask: the weights. In training, the router "
        "keeps balance * X * sum(f_x P_x) + z * mean(logsumexp(logits)^2) over tokens that are not "
        "padding; f_x is the mean number of choices of expert x, and P_x the mean of its softmax, "
        "or, with `sigmoid`, of sigmoid(logits) / sum(sigmoid(logits))",
        ("weights", "logits", "chosen", "padding?"),
        attrs=("score", "balance", "z"),
        saves=router_loss_saves,
        view=view("weights"),
    ),
    "assign": Row(
        "input: the experts chosen for each token (B, T, A). Pairs of a token and an expert, "
        "sorted by expert. Results: the expert of each pair, and its index in the flattened "
        "input",
        ("chosen",),
        flat_shape,
    ),
    "rows": Row(
        "inputs x, indices of the pairs, experts chosen for each token: the token of each pair",
        ("x", "order", "chosen"),
        rows_shape,
        saves=rows_saves,
    ),
    "expert_linear": Row(
        "inputs x, expert of each pair: x[j] @ weight[expert[j]].T",
        ("x", "expert"),
        last,
        expert_weights,
        linear_flops,
        attrs=("residual", "in_features", "out_dim", "experts", "top_k"),
        saves=keeps("x"),
    ),
    "expert_bias": Row(
        "inputs x, expert of each pair: x[j] + bias[expert[j]]",
        ("x", "expert"),
        same,
        expert_bias_weights,
        attrs=("in_features", "out_dim", "experts", "top_k"),
        saves=keeps("expert"),
    ),
    "expert_scale": Row(
        "inputs x, expert of each pair: x[j] * (weight[expert[j]] + weight_offset)",
        ("x", "expert"),
        same,
        expert_scale_weights,
        attrs=("out_dim", "experts", "top_k", "weight_offset"),
        saves=expert_scale_saves,
    ),
    "weigh_rows": Row(
        "inputs x, indices of the pairs, weights: each pair times its weight",
        ("x", "order", "weights"),
        saves=weigh_rows_saves,
    ),
    "sum_pairs": Row(
        "inputs x, indices of the pairs, weights (for their shape): the sum over each token's "
        "pairs",
        ("x", "order", "weights"),
        combined_shape,
        saves=rows_saves,
    ),
    "combine": Row(
        "inputs x, indices of the pairs, weights: the weighted sum over each token's pairs",
        ("x", "order", "weights"),
        combined_shape,
        saves=combine_saves,
    ),
}
