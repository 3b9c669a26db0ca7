"""The weights of a model as rows: name, shape and the expression behind it, count, and place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from .count import part_of
from .graph import ModuleGraph, Op, Weight
from .sizes import Size


@dataclass(frozen=True)
class WeightRow:
    """A weight by its logical name; one of a layer has one row for all layers of a kind.

    name        as in a checkpoint, with `{layer}` for the number of a layer
    shape       its sizes
    expression  the same in the names of `Config`: `heads * head_dim, d_model`
    count       how many numbers one copy holds
    copies      how many are stored: 1, or one for each layer that has its own; 0 of a tied one
    layers      the numbers that `{layer}` stands for; empty outside layers
    tied        the name of the weight that is used instead; "" where there is none
    trained     False for one that gets no gradient
    part        what the report counts it under: embedding, attention, feed_forward …
    op          the number of the op that uses it
    scope       the module that holds it, dotted; "" is the model
    spec        the path of the part of the spec that asks for it, dotted
    """

    name: str
    shape: tuple[int, ...]
    expression: str
    count: int
    copies: int
    layers: tuple[int, ...]
    tied: str
    trained: bool
    part: str
    op: int
    scope: str
    spec: str

    @property
    def total(self) -> int:
        """How many numbers are stored in all copies."""
        return self.count * self.copies

    def to_json(self) -> dict[str, Any]:
        """The row as plain data; tuples become lists."""
        data = asdict(self)
        return {**data, "shape": list(self.shape), "layers": list(self.layers)}


def weight_rows(graph: ModuleGraph) -> tuple[WeightRow, ...]:
    """A row for every weight, in the order in which the model computes.

    Kinds of layers that share a name (`layers.{layer}.norm.weight`) have a row each, for different
    `layers`. A table that several stacks read under one name has one row. Copies times count,
    summed over the rows, is how many numbers the model stores.
    """
    return tuple(row for op in graph.ops() for row in _rows(graph, op))


def _rows(graph: ModuleGraph, op: Op) -> Iterator[WeightRow]:
    block = graph.block_of(op.scope)
    layers = () if block is None else block.stored
    copies = 1 if block is None else len(layers)
    for weight in op.weights:
        name = graph.weight_name(op, weight)
        if weight.tied == name:
            continue  # stored by another op, which has the row
        yield WeightRow(
            name=name,
            shape=tuple(int(size) for size in weight.shape),
            expression=_expression(weight),
            count=weight.count,
            copies=0 if weight.tied else copies,
            layers=layers,
            tied=weight.tied,
            trained=weight.trained,
            part=part_of(graph, op),
            op=op.number,
            scope=op.scope,
            spec=".".join(map(str, op.origin)),
        )


def _expression(weight: Weight) -> str:
    return ", ".join(Size.of(size).code() for size in weight.shape)
