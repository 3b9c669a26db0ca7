"""What autograd keeps of an op for its backward: the vocabulary of the rules in the tables of ops.

A rule yields the slots of tensors that the graph knows (`x`, or `out` for the result) and `Own` for
tensors that only the op's PyTorch code makes. The numbers of tests are those of PyTorch 2.13 on the
CPU; `fused` stands for the kernels of GPUs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..axes import Shape
from ..cost import Poly, elements

if TYPE_CHECKING:
    from ..graph import Op, Value

OUT = "out"
FREE = "free"
"""The storage of a parameter or of an argument of `forward`: no activation."""


@dataclass(frozen=True)
class Own:
    """Tensors that have no name in the graph.

    kind  float: of the activations' dtype · wide: the same, at least float32 · int: 8 bytes · bool
    """

    kind: str
    elements: Poly


Kept = str | Own


@dataclass(frozen=True)
class Saving:
    """One op as its rule sees it.

    values   what it touches by id, with the lengths of the whole model
    needs    ids of all values that need a gradient
    read     ids of all values that an op or a result reads
    fused    GPU kernels: attention keeps no scores, dropout keeps booleans
    narrow   the activations have fewer than 4 bytes
    source   the op that makes the value of a slot, seen the same way; None for none
    storage  how many numbers are stored for a slot: less than `size` where rows are alike
    """

    op: Op
    values: dict[str, Value]
    needs: frozenset[str]
    read: frozenset[str]
    fused: bool
    narrow: bool
    source: Callable[[str], Saving | None]
    storage: Callable[[str], Poly]

    def given(self, slot: str) -> bool:
        """Is there a tensor in this slot?"""
        return bool(self.op.arg(slot))

    def trained(self, slot: str) -> bool:
        """Does the value in this slot need a gradient?"""
        return self.op.arg(slot) in self.needs

    def used(self, result: int) -> bool:
        """Is this result of the op read?"""
        return self.op.outputs[result] in self.read

    def shape(self, slot: str) -> Shape:
        """The shape of an input, or of the first result (`out`)."""
        return self.values[self.op.outputs[0] if slot == OUT else self.op.arg(slot)].shape

    def size(self, slot: str) -> Poly:
        """How many numbers it has."""
        return elements(self.shape(slot))

    def rows(self, slot: str) -> Poly:
        """How many vectors along its last axis it has."""
        return elements(self.shape(slot)[:-1])

    def own(self, slot: str, kind: str = "float") -> Own:
        """One more tensor of the size of that in the slot."""
        return Own(kind, self.size(slot))

    def widened(self, slot: str) -> Kept:
        """The value in float32: itself, or a copy where it is narrower."""
        return self.own(slot, "wide") if self.narrow else slot


Saves = Callable[[Saving], Iterable[Kept]]
View = Callable[[Saving], tuple[str, ...]]
Stores = Callable[[Saving], tuple[str, Poly]]


def nothing(s: Saving) -> Iterator[Kept]:
    yield from ()


def keeps(*slots: str) -> Saves:
    """A rule that keeps these values, whatever the options."""
    return lambda s: slots


def fresh(s: Saving) -> tuple[str, ...]:
    """The results have a storage of their own."""
    return ()


def view(*slots: str) -> View:
    """The results share the storage of these inputs, one for each."""
    return lambda s: slots


IN_PLACE = (
    "activation",
    "by_layer",
    "clamp",
    "head_bias",
    "l2_normalize",
    "scale",
    "sharpen",
    "without_padding",
)
"""Ops whose results are laid out in memory as their inputs are."""


def by_token(made: Saving | None) -> bool:
    """Are the heads of a token side by side in memory, as the linear layer left them?"""
    while made is not None and made.op.kind in IN_PLACE:
        made = made.source("x")
    return made is not None and made.op.kind == "split_heads"


def operand(s: Saving, slot: str) -> Kept:
    """What a batched product keeps of a factor: itself where it is in one piece, else a copy."""
    return s.own(slot) if by_token(s.source(slot)) else slot
