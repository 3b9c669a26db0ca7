"""Routers: which experts serve a token, and with which weights."""

from __future__ import annotations

import numpy as np

from ...spec.feed_forward import Moe
from ...spec.feed_forward.moe import Groups
from .errors import unknown
from .pointwise import sigmoid, softmax
from .weights import Array

Chosen = list[tuple[int, float]]
"""Numbers of experts, and their weights."""


def best(values: Array, count: int) -> list[int]:
    """The places of the largest values, the first of equal ones first."""
    return [int(i) for i in np.argsort(-values, kind="stable")[:count]]


def within_groups(groups: Groups, values: Array) -> Array:
    """-inf for experts of groups that are not kept (DeepSeek-AI, 2024, arXiv:2405.04434, 2.2.2;
    the sum of the two best: DeepSeek-V3, arXiv:2412.19437, 2.1.2).
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

    The best expert in turn, with its share of a softmax over those that are left and not far below
    it: (best - logit) / max(|logit|, best) is at most 2 · jitter.
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
    if router.score not in ("softmax", "sigmoid"):
        raise unknown(f"a router with `score: {router.score}`")
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
