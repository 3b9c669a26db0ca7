"""Match the weights of a model with the tensors of a checkpoint, by a family's table."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field

from .family import Family, Head
from .layouts import Layout, Shape
from .values import Values

_NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")


@dataclass
class Move:
    """Some of our weights, and the tensors of the checkpoint that store them.

    ours, shapes: our weights, in the order in which they are fused
    theirs: the tensor, or the tensors that our weight stacks
    """

    layout: Layout
    ours: list[str] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)
    theirs: list[str] = field(default_factory=list)


def _flat(head: Head) -> Iterator[str]:
    for ours in head.names:
        yield from (ours,) if isinstance(ours, str) else ours


class LogicalNames:
    """Names of a folder with its own code: logical names, with or without the prefix `model.`."""

    prefix = "model."
    copies: Mapping[str, str] = {}
    instead: Mapping[str, str] = {}
    values: Values = {}  # noqa: RUF012

    def __init__(self, weights: Container[str]) -> None:
        self.weights = weights

    def normal(self, stored: str) -> str:
        """The logical name of a tensor."""
        return stored if stored in self.weights else stored.removeprefix(self.prefix)

    def moves(self, weights: Mapping[str, Shape]) -> Iterator[Move | str]:
        """Where each weight of a model is stored: in one tensor each."""
        for name, shape in weights.items():
            yield Move(Layout(name), [name], [shape], [name])

    def stored_as(self, theirs: str, tensors: Container[str]) -> str:
        """The name itself."""
        return theirs

    def is_unused(self, theirs: str) -> bool:
        """False: all tensors of such a file are used."""
        return False

    def ours(self, theirs: str) -> str | None:
        """None: a weight that the model does not have has no name."""
        return None


class Names:
    """The name table of a family and its head for one config, used in both directions."""

    def __init__(self, family: Family, head: Head, values: Values) -> None:
        self.family, self.values = family, values
        self.prefix = head.prefix or family.prefix
        table = family.names(values) if callable(family.names) else family.names
        self.rows: dict[str, tuple[Layout, tuple[str, ...]]] = {}
        for ours, theirs in {**table, **head.names}.items():
            layout = Layout(theirs) if isinstance(theirs, str) else theirs
            group = (ours,) if isinstance(ours, str) else ours
            for each in group:
                self.rows[each] = layout, group
        of_the_head = [self.rows[each][0] for each in _flat(head)]
        self._of_the_head = {name for each in of_the_head for name in (each.theirs, *each.beside)}
        self.copies = {**head.copies, **head.untied}
        self.tied = self.copies if values.get("tie_word_embeddings", True) else head.copies
        self.instead = head.instead
        unread = family.unused(values) if callable(family.unused) else family.unused
        unused = (*unread, *head.unused)
        self._unused = re.compile(
            "|".join(f"(?:{pattern})" for pattern in unused) + r"\Z" if unused else r"(?!)"
        )
        self._ours = {layout.theirs: group[0] for layout, group in self.rows.values()}

    def is_of_the_head(self, theirs: str) -> bool:
        """Whether a tensor belongs to the head, which has no prefix in the checkpoint."""
        return theirs in self._of_the_head or theirs.rpartition(".")[0] in self._of_the_head

    def ours(self, theirs: str) -> str | None:
        """Our name of a tensor, even if the model does not have it."""
        for text, leaf in ((theirs, ""), theirs.rpartition(".")[::2]):
            numbers = _NUMBER.findall(f"{text}.")
            pattern = _NUMBER.sub("{}", f"{text}.", count=1)[:-1]
            if pattern in self._ours:
                ours = self._ours[pattern].format(*numbers)
                return f"{ours}.{leaf}" if leaf else ours
        return None

    def theirs(self, ours: str) -> str | None:
        """The checkpoint's name of our weight, or of the fused tensor that contains it."""
        row = self.row(ours)
        if row is None:
            return None
        layout, _, numbers, leaf = row
        return layout.names(numbers, leaf, 1)[0]

    def stored_as(self, theirs: str, tensors: Container[str]) -> str:
        """The tensor that is read for a name of the table; see `Head.instead`.

        As in the library, tied weights may be stored once under any of their names.
        """
        other = self.instead.get(theirs, theirs)
        if other in tensors or theirs in tensors:
            return other if other in tensors else theirs
        copies = (name for name, source in self.tied.items() if source == theirs)
        return next((name for name in copies if name in tensors), theirs)

    def written_as(self, theirs: str) -> tuple[str, ...]:
        """The tensors that are written for it: two if the library has a tied copy."""
        other = self.instead.get(theirs, theirs)
        tied = self.values.get("tie_word_embeddings", True)
        return (theirs,) if tied or other == theirs else (theirs, other)

    def is_unused(self, theirs: str) -> bool:
        """Whether a file may contain this tensor although the model does not use it."""
        return self._unused.match(theirs) is not None

    def normal(self, stored: str) -> str:
        """The name as in the table: without a prefix, and with current endings."""
        name = stored.removeprefix(self.prefix)
        for old, new in self.family.renamed.items():
            if name.endswith(old):
                return name.removesuffix(old) + new
        return name

    def moves(self, weights: Mapping[str, Shape]) -> Iterator[Move | str]:
        """Where each weight of a model is stored; the name itself if it has no counterpart."""
        fused: dict[str, Move] = {}
        for name in weights:
            row = self.row(name)
            if row is None:
                yield name
                continue
            layout, group, numbers, leaf = row
            key = layout.names(numbers, leaf, 1)[0]
            if key not in fused:
                members = [f"{each.format(*numbers)}{leaf}" for each in group]
                there = [each for each in members if each in weights]
                shapes = [weights[each] for each in there]
                count = shapes[0][0] if layout.stacked else 1
                fused[key] = Move(layout, there, shapes, layout.names(numbers, leaf, count))
                yield fused[key]

    def row(self, name: str) -> tuple[Layout, tuple[str, ...], list[str], str] | None:
        """The row of a weight or of its module, for this layer or for all layers."""
        module, _, leaf = name.rpartition(".")
        for text, ending in ((name, ""), (module, f".{leaf}")):
            numbers = _NUMBER.findall(f"{text}.")
            pattern = _NUMBER.sub("{}", f"{text}.", count=1)[:-1]
            for each in (text, pattern):
                if each in self.rows:
                    layout, group = self.rows[each]
                    return layout, group, numbers, ending
        return None
