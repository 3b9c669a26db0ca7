"""The blocks of a stack for any number of layers, from pattern and overrides."""

from __future__ import annotations

from dataclasses import dataclass

from ..spec.order import Override as Written


@dataclass(frozen=True)
class Override(Written):
    """An override of the pattern.

    count: the number of layers from layer 0 on, if it is a field of the Config
    """

    count: int | None = None

    def after(self, before: str) -> str:
        """The block after the override, given the one before; "" if the spec does not define it."""
        return self.block or dict(self.becomes).get(before, "")


@dataclass(frozen=True)
class LayerRule:
    """The rule that gives the blocks of a stack.

    pattern: names of blocks, repeated or cut off
    overrides: overrides, in order
    last: allowed blocks of the last layer; others would change the final norm
    shared: blocks whose layers share one module
    blocks: the blocks of the model; empty: all that are named here

    >>> rule = LayerRule(("sparse",), (Override(0, 2, "dense"),), ("dense", "sparse"))
    >>> rule.order(5)
    ('dense', 'dense', 'dense', 'sparse', 'sparse')
    """

    pattern: tuple[str, ...]
    overrides: tuple[Override, ...] = ()
    last: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()

    def order(self, count: int) -> tuple[str, ...]:
        """The block of each layer; "" for one that the spec does not define."""
        found = [self.pattern[i % len(self.pattern)] for i in range(count)]
        for override in self.overrides:
            layers = override.range(count)
            if override.block:
                found[layers.start : layers.stop] = [override.block] * len(layers)
            elif layers:
                becomes = dict(override.becomes)
                before = found[layers.start : layers.stop]
                found[layers.start : layers.stop] = [becomes.get(name, "") for name in before]
        return tuple(found)

    def fits(self, count: int) -> bool:
        """Whether a stack with this many layers has the same final norm and no new blocks."""
        order = self.order(count)
        if any(order.count(name) > 1 for name in self.shared):
            return False
        if not all(order) or (self.blocks and not {*order} <= {*self.blocks}):
            return False
        return bool(order) and order[-1] in self.last
