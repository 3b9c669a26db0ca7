"""Mixtures of experts, computed for each pair of a token and a chosen expert.

experts      Shazeer et al. 2017, arXiv:1701.06538
groups       DeepSeek-AI 2024, arXiv:2405.04434 (best member) and arXiv:2412.19437 (two best)
capacity     Fedus et al. 2021, arXiv:2101.03961
sparse mixer Liu et al. 2024, arXiv:2409.12136, as it is after training
"""

from __future__ import annotations

import math

import numpy as np

from .call import Array, Call


def softmax(call: Call) -> Array:
    return _softmax(call.given("x"))


def _softmax(x: Array) -> Array:
    """Over the last axis; -inf gives 0."""
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    result: Array = powers / powers.sum(axis=-1, keepdims=True)
    return result


def top_k(call: Call) -> tuple[Array, Array]:
    x = call.given("scores")
    places = np.argsort(-x, axis=-1, kind="stable")[..., : call.value("top_k")]
    return np.take_along_axis(x, places, axis=-1), places


def gather(call: Call) -> Array:
    return np.take_along_axis(call.given("x"), call.given("places"), axis=-1)


def sum_to_one(call: Call) -> Array:
    x = call.given("x")
    result: Array = x / (x.sum(axis=-1, keepdims=True) + 1e-20)
    return result


def best_groups(call: Call) -> Array:
    scores, count = call.given("scores"), call.value("groups")
    runs = scores.reshape(*scores.shape[:-1], count, -1)
    value = np.sort(runs, axis=-1)[..., -call.value("members") :].sum(axis=-1)
    rank = np.argsort(np.argsort(-value, axis=-1, kind="stable"), axis=-1)
    kept = rank < call.value("kept")  # (B, T, groups)
    return np.where(kept[..., None], runs, -np.inf).reshape(scores.shape)


def sparse_mixer(call: Call) -> tuple[Array, Array]:
    """For each token: the best remaining expert, and its softmax among those within the jitter."""
    logits, count = call.given("scores"), call.value("top_k")
    weights = np.zeros((*logits.shape[:-1], count))
    places = np.zeros(weights.shape, np.int64)
    for token in np.ndindex(logits.shape[:-1]):
        left = dict(enumerate(logits[token]))
        for step in range(count):
            expert = max(left, key=lambda e: left[e])
            best = left[expert]
            near = [
                value
                for value in left.values()
                if best - value <= 2 * call.value("jitter") * max(abs(value), best)
            ]
            weights[(*token, step)] = 1 / sum(np.exp(value - best) for value in near)
            places[(*token, step)] = expert
            del left[expert]
    return weights, places


def within_capacity(call: Call) -> Array:
    """For each token and choice: weight 0 if the expert has reached its capacity."""
    weights, chosen = call.given("weights").copy(), call.given("chosen")
    batch, tokens, choices = chosen.shape
    capacity = call.value("capacity")
    if capacity is None:
        capacity = math.ceil(call.value("factor") * (tokens * choices) / call.value("experts"))
    for b in range(batch):
        served = dict.fromkeys(range(call.value("experts")), 0)
        for token in range(tokens):
            for choice in range(choices):
                expert = int(chosen[b, token, choice])
                served[expert] += 1
                if served[expert] > capacity:
                    weights[b, token, choice] = 0
    return weights


def router_loss(call: Call) -> Array:
    """The weights; `losses_of_router` gives the loss."""
    return call.given("weights")


def losses_of_router(call: Call) -> float:
    """The loss that the router keeps in training, summed over tokens one by one."""
    logits, chosen, padding = (call.optional(name) for name in ("logits", "chosen", "padding"))
    assert logits is not None
    assert chosen is not None
    tokens = [at for at in np.ndindex(logits.shape[:-1]) if padding is None or padding[at]]
    count = max(1, len(tokens))
    load, share, squares = np.zeros(logits.shape[-1]), np.zeros(logits.shape[-1]), 0.0
    for at in tokens:
        powers = np.exp(logits[at] - logits[at].max())
        scores = powers if call.value("score") == "softmax" else 1 / (1 + np.exp(-logits[at]))
        share += scores / scores.sum() / count
        squares += (np.log(powers.sum()) + logits[at].max()) ** 2 / count
        for expert in chosen[at]:
            load[int(expert)] += 1 / count
    balance, z = call.value("balance") or 0, call.value("z") or 0
    return float(balance * len(load) * (load * share).sum() + z * squares)


def assign(call: Call) -> tuple[Array, Array]:
    chosen = call.given("chosen").reshape(-1)
    order = np.argsort(chosen, kind="stable")
    return chosen[order], order  # (J,) each


def rows(call: Call) -> Array:
    x, choices = call.given("x"), call.given("chosen").shape[-1]
    tokens = [place // choices for place in call.given("order")]
    result: Array = x.reshape(-1, x.shape[-1])[tokens]  # (J, D)
    return result


def expert_linear(call: Call) -> Array:
    x, expert, weight = call.given("x"), call.given("expert"), call.weights[""]
    return np.stack([weight[e] @ row for e, row in zip(expert, x, strict=True)])


def expert_bias(call: Call) -> Array:
    result: Array = call.given("x") + call.weights[""][call.given("expert")]
    return result


def expert_scale(call: Call) -> Array:
    factors = call.weights[""][call.given("expert")] + call.value("weight_offset")
    result: Array = call.given("x") * factors
    return result


def weigh_rows(call: Call) -> Array:
    x, weights = call.given("x"), call.given("weights")
    weighed: Array = x * weights.reshape(-1)[call.given("order"), None]
    return weighed


def sum_pairs(call: Call) -> Array:
    result: Array = _by_token(call).sum(axis=-2)
    return result


def combine(call: Call) -> Array:
    result: Array = (call.given("weights")[..., None] * _by_token(call)).sum(axis=-2)
    return result


def _by_token(call: Call) -> Array:
    """The rows of pairs in their original order, (B, T, A, D)."""
    x = call.given("x")
    rows = np.zeros_like(x)
    for row, place in zip(x, call.given("order"), strict=True):
        rows[place] = row
    return rows.reshape(*call.given("weights").shape, -1)
