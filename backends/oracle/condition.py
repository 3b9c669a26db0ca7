"""Conditions: the vector of a stack, and the shifts, scales and gates of its layers."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...spec.condition import AdaLnZero, Adaptive, Label, Pooled, Timestep, Vector
from ...spec.model import Stack
from .context import Memory, Tokens
from .heads import pooled
from .pointwise import activate
from .weights import Array, Weights

Rows = dict[str, Any]
"""Argument of the model -> its value for one sequence."""


def vector_of(
    stack: Stack, weights: Weights, rows: Rows, tokens: Tokens, memories: dict[str, Memory]
) -> Array | None:
    """The vector (D,) that all layers of a stack read; None without a condition.

    All conditions of a stack have the same vectors, which are summed before the activation.
    """
    used = [stack.condition] if stack.final_norm and stack.norm.type != "none" else []
    used += [stack.blocks[name].condition for name in stack.order]
    parts = [part for part in used if isinstance(part, Adaptive)]
    if not parts:
        return None
    inside = weights.below("condition")
    types = [embed.type for embed in parts[0].embed]
    total = np.zeros(stack.d_model)
    for embed in parts[0].embed:
        source = embed.stack if isinstance(embed, Pooled) else embed.argument
        name = embed.type if types.count(embed.type) == 1 else f"{embed.type}_{source}"
        total = total + embedded(embed, name, inside, rows, tokens, memories, stack.d_model)
    return activate(parts[0].activation, total)


def embedded(
    embed: Any,
    name: str,
    weights: Weights,
    rows: Rows,
    tokens: Tokens,
    memories: dict[str, Memory],
    width: int,
) -> Array:
    """One of the vectors (D,)."""
    if isinstance(embed, Timestep):
        inside = weights.below(name)
        hidden = width if embed.hidden is None else embed.hidden
        x = time_table(embed, float(rows[embed.argument]))
        x = activate(embed.activation, inside.linear("up", x, hidden, bias=True))
        return inside.linear("down", x, width, bias=True)
    if isinstance(embed, Label):  # Ho and Salimans, 2022, arXiv:2207.12598, algorithm 1
        table = weights(f"{name}_embedding.weight", embed.classes + (embed.dropout > 0), width)
        label = int(rows[embed.argument])
        if embed.dropout and tokens.chances is not None:
            left_out = tokens.chances((), tokens.row) < embed.dropout
            label = embed.classes if left_out else label
        return np.asarray(table[label])
    if isinstance(embed, Vector):
        given = np.asarray(rows[embed.argument], np.float64)
        return weights.linear(f"{name}_projection", given, width, bias=embed.bias)
    assert isinstance(embed, Pooled)
    x = pooled(embed.pool, weights, f"{name}_score", memories[embed.stack])
    return weights.linear(f"{name}_projection", x, width, bias=embed.bias)


def time_table(embed: Timestep, time: float) -> Array:
    """cos and sin of time · 10000^(-i / d) (Ho et al., 2020, arXiv:2006.11239, their code)."""
    half = embed.width // 2
    below = {"half": half, "half_minus_one": half - 1}[embed.denominator]
    angles = np.array([time * 10000 ** (-i / below) for i in range(half)])
    pair = [np.cos(angles), np.sin(angles)]
    return np.concatenate(pair if embed.layout == "cos_sin" else pair[::-1])


@dataclass
class Modulation:
    """The vectors of a layer in the order in which they are taken; empty without a condition.

    A norm takes a shift, then a scale; with `adaln_zero` the output of each branch takes a gate.
    """

    values: list[Array] = field(default_factory=list)
    gates: bool = False

    def normed(self, x: Array) -> Array:
        """norm(x) · (1 + scale) + shift (Peebles and Xie, 2022, arXiv:2212.09748, section 3.2)."""
        if not self.values:
            return x
        shift, scale = self.values.pop(0), self.values.pop(0)
        return x * (1 + scale) + shift

    def gated(self, y: Array) -> Array:
        """The output of a branch times its gate."""
        return y * self.values.pop(0) if self.gates else y


def modulation(part: Any, count: int, weights: Weights, name: str, vector: Any) -> Modulation:
    """`count` vectors from one linear layer."""
    if not isinstance(part, Adaptive) or not count:
        return Modulation()
    width = len(vector)
    numbers = weights.linear(name, vector, count * width, bias=True)
    return Modulation(list(numbers.reshape(count, width)), isinstance(part, AdaLnZero))
