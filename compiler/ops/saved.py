"""Rules for tensors that autograd saves for the backward pass of an op.

A rule yields slots of tensors in the graph (`x`, or `out` for the result), and `Own` for tensors
that only the op's PyTorch code creates. The rules are tested with PyTorch 2.13 on the CPU; `fused`
means GPU kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from ...records import record
from ..axes import Shape
from ..cost import Poly, elements

if TYPE_CHECKING:
    from ..graph import Op, Value
    from ..tile_counts import TileCount

OUT = "out"
FREE = "free"
"""The storage of a parameter or argument, which is not counted."""


@record(frozen=True)
class Own:
    """Tensors that are not in the graph.

    kind  float: of the activations' dtype · wide: the same, at least float32 · int: 8 bytes · bool
    """

    kind: str
    elements: Poly


Kept = str | Own


@record(frozen=True)
class Saving:
    """One op, as the argument of a rule.

    values   its inputs and outputs by id, with the lengths of the whole model
    needs    ids of all values that need a gradient
    fused    GPU kernels: attention saves no scores, dropout saves booleans
    narrow   the activations have fewer than 4 bytes
    single   the batch is one sequence
    source   the op that computes the value of a slot, in the same form; or None
    storage  number of stored elements of a slot: less than `size` for expanded tensors
    tiles    what its tiles read and store; None for one dense mask
    """

    op: Op
    values: dict[str, Value]
    needs: frozenset[str]
    fused: bool
    narrow: bool
    single: bool
    source: Callable[[str], Saving | None]
    storage: Callable[[str], Poly]
    tiles: TileCount | None = None

    def given(self, slot: str) -> bool:
        """Whether there is a tensor in this slot."""
        return bool(self.op.arg(slot))

    def trained(self, slot: str) -> bool:
        """Whether the value in this slot needs a gradient."""
        return self.op.arg(slot) in self.needs

    def shape(self, slot: str) -> Shape:
        """The shape of an input, or of the first result (`out`)."""
        return self.values[self.op.outputs[0] if slot == OUT else self.op.arg(slot)].shape

    def size(self, slot: str) -> Poly:
        """Number of elements."""
        return elements(self.shape(slot))

    def rows(self, slot: str) -> Poly:
        """Number of vectors along its last axis."""
        return elements(self.shape(slot)[:-1])

    def own(self, slot: str, kind: str = "float") -> Own:
        """Another tensor with the size of that in the slot."""
        return Own(kind, self.size(slot))

    def widened(self, slot: str) -> Kept:
        """The value in float32: itself, or a copy if its dtype is narrower."""
        return self.own(slot, "wide") if self.narrow else slot


Saves = Callable[[Saving], Iterable[Kept]]
View = Callable[[Saving], tuple[str, ...]]
Stores = Callable[[Saving], tuple[str, Poly]]


def nothing(s: Saving) -> Iterator[Kept]:
    yield from ()


def keeps(*slots: str) -> Saves:
    """A rule that always saves these values."""
    return lambda s: slots


def fresh(s: Saving) -> tuple[str, ...]:
    """The results have their own storage."""
    return ()


def view(*slots: str) -> View:
    """Each result shares the storage of one of these inputs."""
    return lambda s: slots


IN_PLACE = (
    "activation",
    "by_layer",
    "clamp",
    "head_bias",
    "l2_normalize",
    "put_places",
    "scale",
    "sharpen",
    "without_padding",
)
"""Ops whose results have the memory layout of their inputs."""


STRIDED = (
    *("channels_last", "flatten_image", "skip_tokens", "swap_axes", "swap_streams", "take_part"),
    *("learned_tokens", "zero_tokens"),  # every sequence reads the same rows
)
"""Ops whose results are views that are not contiguous."""


SWAPS, BACK = ("swap_axes", "flatten_image"), ("swap_axes", "channels_first")
"""Ops that move channels last, and those that move them first, as after a norm of channels."""


def strided(made: Saving | None) -> bool:
    """Whether the numbers of a token are apart in memory; those of channels moved first and last
    again are not.
    """
    if made is None or made.op.kind not in STRIDED:
        return False
    before = made.source("x")
    while before is not None and before.op.kind in IN_PLACE:
        before = before.source("x")
    moved = before is not None and before.op.kind in BACK
    return not (made.op.kind in SWAPS and moved)


def by_token(made: Saving | None) -> bool:
    """Whether the heads of a token are adjacent in memory, as after a linear layer; one head is
    contiguous in any case.
    """
    while made is not None and made.op.kind in IN_PLACE:
        made = made.source("x")
    return made is not None and made.op.kind == "split_heads" and made.op.attrs["heads"].size != 1


def operand(s: Saving, slot: str) -> Kept:
    """What a batched product saves of a factor: itself if it is contiguous, else a copy."""
    made = s.source(slot)
    if made is not None and made.op.kind == "cache":  # a view of what it is given
        place = made.op.outputs.index(s.op.arg(slot))
        made = made.source(("first", "second")[place])
    return s.own(slot) if by_token(made) else slot
