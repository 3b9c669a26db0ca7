"""Choosing the next token."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sample(logits: Tensor, temperature: float, top_k: int | None, top_p: float | None) -> Tensor:
    """One token per row of `logits` (B, V). Temperature 0 takes the most likely one."""
    if not temperature >= 0:  # nor NaN
        raise ValueError(f"temperature must be at least 0, not {temperature}")
    if top_k is not None and top_k < 0:
        raise ValueError(f"top_k must be at least 1, or 0 for all tokens, not {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p must be above 0 and at most 1, not {top_p}")
    if temperature == 0:
        return logits.argmax(-1)  # (B,)
    logits = logits.float() / temperature
    if top_k:
        kth = logits.topk(min(top_k, logits.size(-1))).values[:, -1:]
        logits = logits.masked_fill(logits < kth, -math.inf)
    if top_p is not None and top_p < 1:  # the fewest tokens whose probabilities reach top_p
        ranked, order = logits.sort(descending=True)
        before = ranked.softmax(-1).cumsum(-1) - ranked.softmax(-1)
        beyond = (before >= top_p) & (before > 0)  # never the most likely one itself
        logits = logits.scatter(-1, order, ranked.masked_fill(beyond, -math.inf))
    return torch.multinomial(logits.softmax(-1), 1).squeeze(-1)
