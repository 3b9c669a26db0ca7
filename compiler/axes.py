"""Names of axes: the letters used in shape comments, shape rules and figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..records import record
from .sizes import Field, InverseRoot, Size, fields_of

GLOSSARY = {
    "B": "batch",
    "T": "new tokens",
    **{f"T{n}": f"tokens of input {n} of a stack" for n in range(1, 10)},
    "S": "all tokens",
    "M": "memory",
    "Q": "queries of a tile",
    "Sq": "keys of a tile",
    "Tg": "queries of global tokens",
    "D": "d_model",
    "H": "heads",
    "K": "key/value heads",
    "Dm": "width of the memory",
    "Dr": "width of the result of a recurrence",
    "E": "head_dim",
    "Ev": "value_dim",
    "En": "nope_dim",
    "Er": "rope_dim",
    "L": "kv_rank",
    "Lq": "query_rank",
    "R": "head_dim rotated by RoPE",
    "W": "width of the token embedding",
    "I": "width of the input",
    "F": "d_ff",
    "X": "experts",
    "A": "experts per token",
    "J": "token-expert pairs, B * T * A",
    "V": "vocabulary",
    "C": "classes",
    "Pt": "pairs of towers",
    "N": "projection size",
    "Ni": "inner width of the head",
    "P": "positions in the table",
    "U": "buckets of relative distance",
    "O": "output width",
    "G": "patches",
    "Y": "frames of a signal",
    "Wt": "width of the sinusoids of a time",
    "Ft": "inner width of the embedding of a time",
    "Nv": "width of the vector of a condition",
    "We": "width of the vector of an edge",
    "Pe": "edges of a path",
    "Px": "numbers of a patch of the output",
    **{f"Y{n}": f"frames after convolution {n}" for n in range(1, 10)},
    **{f"Z{n}": f"channels after convolution {n}" for n in range(1, 10)},
}


@record(frozen=True)
class Dim:
    """One axis of a shape: its letter, and its size unless that depends on the input (B, T).

    `parts` are the axes that were flattened into this one.
    """

    label: str
    size: Size | None = None
    parts: tuple[Dim, ...] = ()

    def __str__(self) -> str:
        return self.label

    def __mul__(self, other: Dim) -> Dim:
        assert self.size is not None
        assert other.size is not None
        return Dim(f"{self.label}*{other.label}", self.size * other.size)

    def times(self, number: int) -> Dim:
        """The axis multiplied by a number: `2*T`, or `2*T-8` for `T-4`."""
        letter, _, less = self.label.partition("-")
        label = f"{number}*{letter}" + (f"-{number * float(less):.12g}" if less else "")
        return Dim(label, None if self.size is None else number * self.size)

    def less(self, number: int) -> Dim:
        """The axis without this number of places: `T-4`."""
        if not number:
            return self
        letter, _, less = self.label.partition("-")
        label = f"{letter}-{float(less or 0) + number:.12g}"
        return Dim(label, None if self.size is None else self.size - number)

    def __add__(self, other: int) -> Dim:
        """The axis plus a number: `G+1`."""
        assert self.size is not None
        return Dim(f"{self.label}+{int(other)}", self.size + other)


Shape = tuple[Dim, ...]

B, T, S, M = Dim("B"), Dim("T"), Dim("S"), Dim("M")
ONE = Dim("1", Size.of(1))


def show(shape: Shape) -> str:
    """`(B, T, D)`."""
    labels = ", ".join(dim.label for dim in shape)
    return f"({labels},)" if len(shape) == 1 else f"({labels})"


def fields_in(value: Any) -> Iterator[Field]:
    """The fields of the Config in axes, sizes and numbers, also in those within containers."""
    if isinstance(value, str):  # most
        return
    if isinstance(value, Field):
        yield value
    elif isinstance(value, Size):
        yield from fields_of(value.tree)
    elif isinstance(value, InverseRoot):
        yield from fields_of(value.width.tree)
    elif isinstance(value, Dim):
        yield from fields_in((value.size, value.parts))
    elif isinstance(value, (dict, list, tuple)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from fields_in(part)
