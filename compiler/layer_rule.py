"""The blocks of a stack for any number of layers, by the pattern and the overrides of the spec."""

from __future__ import annotations

from dataclasses import dataclass

from ..spec.order import Override as Written


@dataclass(frozen=True)
class Override(Written):
    """An exception from the pattern.

    count: how many layers it names from layer 0 on, where that number is a field of the Config
    """

    count: int | None = None

    def after(self, before: str) -> str:
        """The block of a layer that had this one; "" where the spec has not made that block."""
        return self.block or dict(self.becomes).get(before, "")


@dataclass(frozen=True)
class LayerRule:
    """What the order of the blocks of a stack follows from.

    pattern: names of blocks, repeated and cut
    overrides: exceptions, in order
    last: the blocks that the last layer may be: behind another one, the stack would have another
        final norm
    shared: the blocks of which all layers use one module
    blocks: the blocks that the model has; none of them: all that are named here

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
        """The block of each layer; "" for one that only another spec would have."""
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
        """Has a stack of so many layers, one at least, the same final norm and no other blocks?"""
        order = self.order(count)
        if any(order.count(name) > 1 for name in self.shared):
            return False
        if not all(order) or (self.blocks and not {*order} <= {*self.blocks}):
            return False
        return bool(order) and order[-1] in self.last
