"""The few layers that `shrink` keeps of a stack."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

from ...spec.order import LayerRule


def short_rule(rule: LayerRule) -> LayerRule:
    """The rule with runs of at most two layers. Lowering ignores one that gives another order."""
    overrides = [
        replace(one, last=min(one.last, 1)) if one.first == 0 < one.last else one
        for one in rule.overrides
    ]
    return replace(rule, pattern=short_runs(rule.pattern), overrides=tuple(overrides))


def short_runs(order: Iterable[str]) -> tuple[str, ...]:
    """The kinds of layers, with at most two of the same one after another."""
    runs: list[str] = []
    for kind in order:
        if runs[-2:] != [kind, kind]:
            runs.append(kind)
    return tuple(runs)


def few_layers(order: tuple[str, ...]) -> tuple[str, ...]:
    """The first layers, until each pair of consecutive kinds has occurred.

    Runs have at most two layers.

    >>> few_layers(("local",) * 5 + ("global",) + ("local",) * 5)
    ('local', 'local', 'global', 'local')
    """
    runs = short_runs(order)
    wanted = set(pairwise(runs))
    for length in range(1, len(runs) + 1):
        if set(pairwise(runs[:length])) == wanted and length >= min(2, len(runs)):
            return runs[:length]
    return runs


def first_layers(order: tuple[str, ...]) -> tuple[str, ...]:
    """The first layers, at least two, until each kind has occurred.

    >>> len(first_layers((("local",) * 5 + ("global",)) * 4))
    6
    """
    length = max((order.index(kind) + 1 for kind in set(order)), default=0)
    return order[: max(length, 2)]
