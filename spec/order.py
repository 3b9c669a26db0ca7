"""Which block each layer of a stack is, and the rule that says it for other numbers of layers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import core_schema


@dataclass(frozen=True)
class Override:
    """An exception from the pattern: these layers have another block.

    first, last: as the spec writes them; negative numbers count from the last layer
    block: the block of these layers; "" where each layer's block is changed instead
    becomes: pairs of a block and the block that the change makes of it
    count: how many layers it names from layer 0 on, where the compiler gives that number a name
    """

    first: int
    last: int
    block: str = ""
    becomes: tuple[tuple[str, str], ...] = ()
    count: int | None = None

    def range(self, count: int) -> range:
        """The layers that it changes, of so many in all."""
        first, last = (end + count if end < 0 else end for end in (self.first, self.last))
        return range(max(first, 0), min(last + 1, count))

    def after(self, before: str) -> str:
        """The block of a layer that had this one; "" where the spec has not made that block."""
        return self.block or dict(self.becomes).get(before, "")


@dataclass(frozen=True)
class LayerRule:
    """The pattern and the overrides of a stack: they give the blocks of any number of layers.

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
            for i in override.range(count):
                found[i] = override.after(found[i])
        return tuple(found)

    def fits(self, count: int) -> bool:
        """Has a stack of so many layers, one at least, the same final norm and no other blocks?"""
        order = self.order(count)
        if any(order.count(name) > 1 for name in self.shared):
            return False
        if not all(order) or (self.blocks and not {*order} <= {*self.blocks}):
            return False
        return bool(order) and order[-1] in self.last


class LayerOrder(tuple[str, ...]):
    """The name of the block of each layer, and the rule it follows; None where nobody said one."""

    rule: LayerRule | None = None

    @classmethod
    def of(cls, names: Iterable[str], rule: LayerRule | None) -> "LayerOrder":
        order = cls(names)
        order.rule = rule
        return order

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        def validate(value: Any, inner: core_schema.ValidatorFunctionWrapHandler) -> Any:
            return cls.of(inner(value), getattr(value, "rule", None))

        plain = handler.generate_schema(Annotated[tuple[str, ...], Field(strict=False)])
        return core_schema.no_info_wrap_validator_function(validate, plain)


class RuleRecorder:
    """Notes the pattern and the overrides of a stack while its layers are being ordered."""

    def __init__(self, pattern: Iterable[str]) -> None:
        self.pattern = tuple(pattern)
        self.overrides: list[Override] = []

    def named(self, first: int, last: int, block: str) -> None:
        self.overrides.append(Override(first, last, block=block))

    def changed(self, first: int, last: int, becomes: Mapping[str, str]) -> None:
        self.overrides.append(Override(first, last, becomes=tuple(becomes.items())))

    def rule(self, last: Iterable[str]) -> LayerRule | None:
        """The rule; None for a stack that has no blocks."""
        if not self.pattern:
            return None
        return LayerRule(self.pattern, tuple(self.overrides), tuple(last))
