"""The table of a family, read for the weights of one model: who is whose."""

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
    """Some of our weights, and the tensors of the checkpoint that hold them.

    ours, shapes: the weights, in the order in which they are fused
    theirs: one tensor, or one for each index of those that ours stacks
    """

    layout: Layout
    ours: list[str] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)
    theirs: list[str] = field(default_factory=list)


def _flat(head: Head) -> Iterator[str]:
    for ours in head.names:
        yield from (ours,) if isinstance(ours, str) else ours


class LogicalNames:
    """The names of a folder that was exported with its own code: ours, perhaps below `model.`."""

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
        """Where each weight of a model is: each in a tensor of its own."""
        for name, shape in weights.items():
            yield Move(Layout(name), [name], [shape], [name])

    def stored_as(self, theirs: str, tensors: Container[str]) -> str:
        """The tensor itself."""
        return theirs

    def is_unused(self, theirs: str) -> bool:
        """No tensor of such a file is left unread."""
        return False

    def ours(self, theirs: str) -> str | None:
        """Our name of a tensor that the model does not have: none."""
        return None


class Names:
    """The table of a family and its head for one config, read in both directions."""

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
        self.instead = head.instead
        unread = family.unused(values) if callable(family.unused) else family.unused
        unused = (*unread, *head.unused)
        self._unused = re.compile(
            "|".join(f"(?:{pattern})" for pattern in unused) + r"\Z" if unused else r"(?!)"
        )
        self._ours = {layout.theirs: group[0] for layout, group in self.rows.values()}

    def is_of_the_head(self, theirs: str) -> bool:
        """Whether it is a tensor of the head, which stands beside the model in the checkpoint."""
        return theirs in self._of_the_head or theirs.rpartition(".")[0] in self._of_the_head

    def ours(self, theirs: str) -> str | None:
        """Our name of a tensor, or what it would be in a model that had it."""
        for text, leaf in ((theirs, ""), theirs.rpartition(".")[::2]):
            numbers = _NUMBER.findall(f"{text}.")
            pattern = _NUMBER.sub("{}", f"{text}.", count=1)[:-1]
            if pattern in self._ours:
                ours = self._ours[pattern].format(*numbers)
                return f"{ours}.{leaf}" if leaf else ours
        return None

    def theirs(self, ours: str) -> str | None:
        """The checkpoint's name of our weight, or of the tensor that it is a part of."""
        row = self.row(ours)
        if row is None:
            return None
        layout, _, numbers, leaf = row
        return layout.names(numbers, leaf, 1)[0]

    def stored_as(self, theirs: str, tensors: Container[str]) -> str:
        """The tensor that is read for one of the table: another one, where the file has it."""
        other = self.instead.get(theirs, theirs)
        return other if other in tensors else theirs

    def written_as(self, theirs: str) -> tuple[str, ...]:
        """The tensors that hold it in a file: two, where the library has two that it can tie."""
        other = self.instead.get(theirs, theirs)
        tied = self.values.get("tie_word_embeddings", True)
        return (theirs,) if tied or other == theirs else (theirs, other)

    def is_unused(self, theirs: str) -> bool:
        """Whether a file may hold this tensor, which the model does not read."""
        return self._unused.match(theirs) is not None

    def normal(self, stored: str) -> str:
        """The name as the table writes it: no prefix, and today's endings."""
        name = stored.removeprefix(self.prefix)
        for old, new in self.family.renamed.items():
            if name.endswith(old):
                return name.removesuffix(old) + new
        return name

    def moves(self, weights: Mapping[str, Shape]) -> Iterator[Move | str]:
        """Where each weight of a model is; the name of a weight that the table does not know."""
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
        """The row of a weight: its own, or that of its module; of this layer, or of any."""
        module, _, leaf = name.rpartition(".")
        for text, ending in ((name, ""), (module, f".{leaf}")):
            numbers = _NUMBER.findall(f"{text}.")
            pattern = _NUMBER.sub("{}", f"{text}.", count=1)[:-1]
            for each in (text, pattern):
                if each in self.rows:
                    layout, group = self.rows[each]
                    return layout, group, numbers, ending
        return None
