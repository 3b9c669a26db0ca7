"""The block of each layer of a stack, and the rule for other numbers of layers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import core_schema


@dataclass(frozen=True)
class Override:
    """An override: these layers have another block.

    first, last: as in the spec; negative numbers count from the last layer
    block: the block of these layers; "" if the override changes each layer's block instead
    becomes: pairs of a block and its changed copy
    """

    first: int
    last: int
    block: str = ""
    becomes: tuple[tuple[str, str], ...] = ()

    def range(self, count: int) -> range:
        """The layers of the override, given the total number."""
        first, last = (end + count if end < 0 else end for end in (self.first, self.last))
        return range(max(first, 0), min(last + 1, count))


@dataclass(frozen=True)
class LayerRule:
    """The pattern and the overrides of a stack, which give the blocks of any number of layers.

    pattern: names of blocks, repeated or cut off
    overrides: overrides, in order
    last: allowed blocks of the last layer; others would change the final norm
    """

    pattern: tuple[str, ...]
    overrides: tuple[Override, ...] = ()
    last: tuple[str, ...] = ()


class LayerOrder(tuple[str, ...]):
    """The block name of each layer, and the rule; None without a pattern."""

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
    """Records the pattern and the overrides of a stack."""

    def __init__(self, pattern: Iterable[str]) -> None:
        self.pattern = tuple(pattern)
        self.overrides: list[Override] = []

    def named(self, first: int, last: int, block: str) -> None:
        self.overrides.append(Override(first, last, block=block))

    def changed(self, first: int, last: int, becomes: Mapping[str, str]) -> None:
        self.overrides.append(Override(first, last, becomes=tuple(becomes.items())))

    def rule(self, last: Iterable[str]) -> LayerRule | None:
        """The rule; None for a stack without blocks."""
        if not self.pattern:
            return None
        return LayerRule(self.pattern, tuple(self.overrides), tuple(last))
