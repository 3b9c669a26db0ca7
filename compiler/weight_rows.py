"""A table of the weights of a model: name, shape, expression, count and origin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..records import record
from .count import part_of
from .graph import ModuleGraph, Op, Weight
from .sizes import Size


@record(frozen=True)
class WeightRow:
    """A weight by its logical name; weights of layers have one row per kind of layer.

    name        as in a checkpoint, with `{layer}` for the layer index
    shape       sizes
    expression  the shape in terms of `Config` fields: `heads * head_dim, d_model`
    count       number of elements of one copy
    copies      number of stored copies: 1, or the number of layers with their own; 0 if tied
    layers      values of `{layer}`; empty outside layers
    tied        name of the weight that is used instead, or ""
    trained     False if it gets no gradient
    part        part of the report: embedding, attention, feed_forward …
    op          number of the op that uses it
    scope       dotted path of its module; "" is the model
    spec        dotted path of its part of the spec
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
        """Number of elements of all copies."""
        return self.count * self.copies

    def to_json(self) -> dict[str, Any]:
        """The row as plain data; tuples become lists."""
        return {**vars(self), "shape": list(self.shape), "layers": list(self.layers)}


def weight_rows(graph: ModuleGraph) -> tuple[WeightRow, ...]:
    """One row per weight, in order of computation.

    Different kinds of layers have separate rows with the same name (`layers.{layer}.norm.weight`)
    and different `layers`. A table shared by several stacks has one row. The number of parameters
    is the sum of copies times count.
    """
    return tuple(row for op in graph.ops() for row in _rows(graph, op))


def _rows(graph: ModuleGraph, op: Op) -> Iterator[WeightRow]:
    block = graph.block_of(op.scope)
    layers = () if block is None else block.stored
    copies = 1 if block is None else len(layers)
    for weight in op.weights:
        name = graph.weight_name(op, weight)
        if weight.tied == name:
            continue  # stored by another op, which has its own row
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
