"""Feed-forwards: plain, gated, and mixtures of experts."""

import math
from typing import Any

import numpy as np

from ...spec.feed_forward import Glu, Groups, Hidden, Mlp, Moe
from ...spec.part import Nothing
from ...spec.scalars import size_of
from .context import Tokens
from .pointwise import activate, normalize, sigmoid, softmax
from .weights import Array, Weights, has_bias, unknown


def hidden(part: Hidden, norm: Any, weights: Weights, x: Array, tokens: Tokens) -> Array:
    """An mlp or glu, (T, D) -> (T, D). norm: the norm of `inner_norm`."""
    size = int(size_of(part.d_ff, x.shape[-1]))

    def project(name: str, y: Array) -> Array:
        out = x.shape[-1] if name == "down" else size
        return weights.linear(name, y, out, bias=has_bias(part, name))

    inside = combine(part, weights, project("up", x), lambda: project("gate", x))
    if part.inner_norm:
        inside = normalize(norm, weights, "inner_norm", inside)
    return project("down", tokens.dropped(inside, part.hidden_dropout))


def combine(part: Hidden, weights: Weights, up: Array, gate: Any) -> Array:
    """activation(up) (Vaswani et al., 2017, arXiv:1706.03762, eq. 2), or activation(gate) · up
    (Shazeer, 2020, arXiv:2002.05202, eq. 5).

    clamp and linear_offset as in gpt-oss: gate is clamped from above, up on both sides; then
    `linear_offset` is added to up.
    """
    if isinstance(part, Mlp):
        return activate(part.activation, up, weights)
    assert isinstance(part, Glu)
    open_ = gate()
    if part.clamp != "none":
        open_, up = np.minimum(open_, part.clamp), np.clip(up, -part.clamp, part.clamp)
    return activate(part.activation, open_, weights) * (up + part.linear_offset)


def expert(part: Hidden, norm: Any, weights: Weights, number: int, x: Array) -> Array:
    """One expert for one token, (D,) -> (D,); weights of all experts are stacked. norm: the norm of
    `inner_norm`, whose weight and bias each expert has for itself.
    """

    def project(name: str, y: Array) -> Array:
        z: Array = weights(name)[number] @ y
        return z + weights(f"{name}_bias")[number] if has_bias(part, name) else z

    h = combine(part, weights, project("up", x), lambda: project("gate", x))
    if part.inner_norm and not isinstance(norm, Nothing):
        own = Weights({f"n.{key}": weights(f"inner_norm_{key}")[number] for key in keys_of(norm)})
        h = normalize(norm, own, "n", h)
    return project("down", h)


def keys_of(norm: Any) -> list[str]:
    """The weights of a norm."""
    if not norm.affine:
        return []
    return ["weight", "bias"] if getattr(norm, "bias", False) else ["weight"]


def room(part: Moe, tokens: int) -> float:
    """Capacity of an expert, in tokens of a sequence."""
    if part.capacity_factor != "none":
        return math.ceil(part.capacity_factor * tokens * part.top_k / part.experts)
    return part.capacity or math.inf


def mixture(part: Moe, weights: Weights, x: Array, tokens: Tokens) -> Array:
    """Σ_e w_e E_e(x) over the chosen experts (Shazeer et al., 2017, arXiv:1701.06538, eq. 1).

    With a capacity, only the first tokens that choose an expert are processed, including padding;
    other weights are unchanged (Fedus et al., 2021, arXiv:2101.03961, 2.2).
    """
    if tokens.chances is not None and part.expert.hidden_dropout:
        raise unknown("the `hidden_dropout` of experts in training")
    logits = weights.linear("router", x, part.experts, bias=part.router.bias)
    bias = weights("selection_bias", part.experts) if part.router.selection_bias else None
    served, norm = np.zeros(part.experts), getattr(part, "norm", None)
    inside, y = weights.below("experts"), np.zeros_like(x)
    for t in range(len(x)):
        chosen = choose(part, logits[t], bias)
        if tokens.admitted[t]:
            weights.routed.setdefault(weights.prefix, [part]).append(
                routed(part, logits[t], chosen)
            )
        for number, share in chosen:
            if served[number] >= room(part, len(x)):
                continue
            served[number] += 1
            if part.weigh == "output":
                y[t] += share * expert(part.expert, norm, inside, number, x[t])
            else:
                y[t] += expert(part.expert, norm, inside, number, share * x[t])
    if not isinstance(part.shared_expert, Nothing):
        shared = hidden(part.shared_expert, norm, weights.below("shared_expert"), x, tokens)
        if part.shared_gate:
            shared = shared * sigmoid(weights.linear("shared_gate", x, 1, bias=False))
        y = y + shared
    return y


def routed(part: Moe, logits: Array, chosen: "Chosen") -> list[Array]:
    """Of one token: the load and the probability of each expert, and log(Σ exp)²."""
    load = np.bincount([number for number, _ in chosen], minlength=part.experts)
    scores = sigmoid(logits) if part.router.score == "sigmoid" else softmax(logits)
    return [load, scores / scores.sum(), np.logaddexp.reduce(logits) ** 2]


def auxiliary_loss(weights: Weights) -> Array:
    """Over the layers, balance · X Σ f P (Fedus et al., 2021, arXiv:2101.03961, eq. 4 to 6) and
    z · mean log(Σ exp)² (Zoph et al., 2022, arXiv:2202.08906, eq. 5), of all real tokens.
    """
    total = 0.0
    for part, *tokens in weights.routed.values():
        load, share, squares = (np.mean(one, axis=0) for one in zip(*tokens, strict=True))
        total += part.balance_loss * part.experts * load @ share + part.z_loss * squares
    return np.asarray(total)


def feed_forward(part: Any, weights: Weights, x: Array, tokens: Tokens) -> Array:
    """The branch, (T, D) -> (T, D)."""
    if isinstance(part, Moe):
        return mixture(part, weights, x, tokens)
    return hidden(part, getattr(part, "norm", None), weights, x, tokens)


Chosen = list[tuple[int, float]]
"""Indices of experts, and their weights."""


def best(values: Array, count: int) -> list[int]:
    """Indices of the largest values; ties in order."""
    return [int(i) for i in np.argsort(-values, kind="stable")[:count]]


def within_groups(groups: Groups, values: Array) -> Array:
    """Set scores of experts in other groups to -inf (DeepSeek-AI, 2024, arXiv:2405.04434, 2.2.2;
    the sum of the two best: DeepSeek-AI, 2024, arXiv:2412.19437, 2.1.2).
    """
    runs = values.reshape(groups.count, -1)
    members = {"max": 1, "top2_sum": 2}[groups.score]
    totals = np.sort(runs, axis=-1)[:, -members:].sum(axis=-1)
    kept = np.full(runs.shape, -np.inf)
    for group in best(totals, groups.top_k):
        kept[group] = runs[group]
    return kept.ravel()


def sparse_mixer(logits: Array, count: int, jitter: float) -> Chosen:
    """SparseMixer's rule without sampling (Liu et al., 2024, arXiv:2409.12136, and PhiMoE's code).

    Chooses the best remaining expert repeatedly; its weight is a softmax over the remaining experts
    with (best - logit) / max(|logit|, best) is at most 2 · jitter.
    """
    left, found = logits.copy(), []
    for _ in range(count):
        top = int(np.argmax(left))
        reach = np.maximum(np.abs(logits), left[top])
        near = (left[top] - logits) / reach <= 2 * jitter
        shares = softmax(np.where(near, left, -np.inf))
        found.append((top, float(shares[top])))
        left[top] = -np.inf
    return found


def choose(part: Moe, logits: Array, selection_bias: Array | None) -> Chosen:
    """The experts of one token, from its logits (E,)."""
    router = part.router
    if router.score == "sparsemixer":
        chosen = sparse_mixer(logits, part.top_k, router.jitter)
        return [(number, share * router.scale) for number, share in chosen]
    shares = softmax(logits) if router.score == "softmax" else sigmoid(logits)
    compared = {"scores": shares, "logits": logits}[router.choose_by]
    if selection_bias is not None:  # Wang et al., 2024, arXiv:2408.15664, eq. 3
        compared = compared + selection_bias
    if router.groups is not None:
        compared = within_groups(router.groups, compared)
    numbers = best(compared, part.top_k)
    kept = shares[numbers]
    if router.normalize and router.score == "softmax":
        kept = softmax(logits[numbers])
    elif router.normalize:  # the small number is that of DeepSeek-V3's code
        kept = kept / (kept.sum() + 1e-20)
    return [(n, float(share * router.scale)) for n, share in zip(numbers, kept, strict=True)]
