"""Vectors of one stack among the inputs of another."""

from collections.abc import Iterator

import numpy as np

from ...spec.embedding import StackInput
from ...spec.feed_forward import Hidden
from ...spec.model import Stack
from ...spec.part import Nothing
from ...spec.scalars import size_of
from .context import Memory
from .feed_forward import combine
from .weights import Array, OracleError, Weights, has_bias

Places = dict[int, list[Array]]
"""Token id -> the vectors that stand where it does, in order; they are removed as they are used."""


def project(stack: Stack, source: StackInput, weights: Weights, row: Memory) -> Array:
    """One linear layer, or an mlp or glu, from the width of the other stack to d_model."""
    part, width, name = source.projector, stack.d_model, f"{source.stack}_projector"
    x = row.x[source.skip :]
    if isinstance(part, Nothing):
        return x
    if not isinstance(part, Hidden):
        return weights.linear(name, x, width, bias=bool(part.bias))
    inside, size = weights.below(name), int(size_of(part.d_ff, width))

    def layer(name: str) -> Array:
        return inside.linear(name, x, size, bias=has_bias(part, name))

    h = combine(part, inside, layer("up"), lambda: layer("gate"))
    h = row.tokens.dropped(h, part.hidden_dropout)
    return inside.linear("down", h, width, bias=has_bias(part, "down"))


def vectors(stack: Stack, source: StackInput, weights: Weights, rows: list[Memory]) -> list[Array]:
    """The vectors (M, D) of each sequence of the other stack."""
    return [project(stack, source, weights, row) for row in rows]


def places_of(stack: Stack, weights: Weights, hidden: dict[str, list[Memory]]) -> Places:
    """The vectors of all stacks that replace tokens (Liu et al., 2023, arXiv:2304.08485)."""
    return {
        source.replace: [
            vector for x in vectors(stack, source, weights, hidden[source.stack]) for vector in x
        ]
        for source in replacing(stack)
        if source.replace is not None
    }


def replacing(stack: Stack) -> Iterator[StackInput]:
    for source in stack.input:
        if isinstance(source, StackInput) and source.replace is not None:
            yield source


def place(x: Array, ids: Array, places: Places) -> Array:
    """Embedded tokens (T, D) of one sequence, with the next vectors in their places."""
    x = np.array(x)
    for t, number in enumerate(ids):
        if int(number) in places:
            if not places[int(number)]:
                raise OracleError(f"there are more tokens {number} than vectors")
            x[t] = places[int(number)].pop(0)
    return x


def check_all_placed(places: Places) -> None:
    for number, rest in places.items():
        if rest:
            raise OracleError(f"{len(rest)} vectors have no token {number}")
