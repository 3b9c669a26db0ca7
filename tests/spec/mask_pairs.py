"""The pairs that a formula allows, from the definitions alone."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from modelwright.spec.masks import And, Atom, Mask, Not, Or, Range

Table = np.ndarray[Any, Any]


def table(mask: Mask, tokens: int, seed: int) -> Table:
    """Whether each query may attend to each key, with random arguments."""
    dice = np.random.default_rng(seed)
    data = {
        "documents": np.sort(dice.integers(0, 3, tokens)),
        "prefix": dice.integers(0, tokens),
        "global": dice.random(tokens) < 0.3,
        "random": lambda args: np.random.default_rng([seed, *args]).random((tokens, tokens)) < 0.4,
    }
    return _table(mask, np.arange(tokens)[:, None], np.arange(tokens)[None], data)


def _table(mask: Mask, q: Table, k: Table, data: dict[str, Any]) -> Table:
    if isinstance(mask, Not):
        return ~_table(mask.part, q, k, data)
    if isinstance(mask, (And, Or)):
        joined = np.logical_and if isinstance(mask, And) else np.logical_or
        return joined.reduce([_table(part, q, k, data) for part in mask.parts])  # type: ignore[no-any-return]
    assert isinstance(mask, Atom)
    if isinstance(mask.args[:1] and mask.args[0], Range):
        inside = partial(_inside, mask.args[0], tokens=k.shape[1])
        by_name = {
            "keys": inside(k) & (q >= 0),
            "queries": inside(q) & (k >= 0),
            "global": inside(q) | inside(k),
        }
        return by_name[mask.name]
    n, m = ((*mask.args, 0, 0) if mask.name == "blocks" else (*mask.args, *mask.args, 0, 0))[:2]
    rows: dict[str, Any] = {
        "full": lambda: (q >= 0) & (k >= 0),
        "causal": lambda: k <= q,
        "window": lambda: (k <= q) & (q - k < n),
        "band": lambda: (q - k <= n) & (k - q <= m),
        "strided": lambda: (q - k) % n == 0,
        "fixed": lambda: (q // n == k // n) | (k % n >= n - m),  # type: ignore[operator]
        "blocks": lambda: abs(q // n - k // n) <= m,
        "random": lambda: data["random"](mask.args),
        "prefix": lambda: (k < data["prefix"]) & (q >= 0),
        "documents": lambda: data["documents"][q] == data["documents"][k],
        "global": lambda: data["global"][q] | data["global"][k],
    }
    return rows[mask.name]()  # type: ignore[no-any-return]


def _inside(span: Any, index: Table, tokens: int) -> Table:
    start, stop = span.start or 0, tokens if span.stop is None else span.stop
    start, stop = (end + tokens if end < 0 else end for end in (start, stop))
    found: Table = (start <= index) & (index < stop)
    return found
