"""From an attention to its masks, and from a mask to the attentions that read it."""

from __future__ import annotations

from dataclasses import dataclass

from .graph import ModuleGraph, Op


@dataclass(frozen=True)
class HeadGroup:
    """One of several equal groups of heads, each with a mask of its own.

    first, last: its heads, the last one included
    """

    first: int
    last: int
    mask: Op

    def __str__(self) -> str:
        return f"heads {self.first}-{self.last}" if self.first < self.last else f"head {self.first}"


def masks_of(graph: ModuleGraph, reader: Op) -> list[Op]:
    """The masks that an op reads, also as part of a bias: one for each group of heads.

    There is one for all heads, or none if every query attends to every key.
    """
    found: Op | None = reader
    if reader.kind == "attend":
        found = graph.producer(reader.arg("mask") or reader.arg("bias"))
    if found is not None and found.kind == "masked_bias":
        found = graph.producer(found.arg("mask"))
    several = found is not None and found.kind == "head_masks"
    parts = [graph.producer(mask) for mask in found.args("masks")] if several and found else [found]
    return [part for part in parts if part is not None and part.kind == "mask"]


def mask_of(graph: ModuleGraph, attend: Op) -> Op | None:
    """The mask of an attention, also where it is part of a bias; the first one of several."""
    found = masks_of(graph, attend)
    return found[0] if found else None


def head_groups(graph: ModuleGraph, attend: Op) -> tuple[HeadGroup, ...]:
    """The groups of heads of an attention whose masks differ by head; none for one mask."""
    masks = masks_of(graph, attend)
    if len(masks) < 2:
        return ()
    size = int(attend.attrs["heads"].size) // len(masks)
    return tuple(
        HeadGroup(index * size, (index + 1) * size - 1, mask) for index, mask in enumerate(masks)
    )


def readers(graph: ModuleGraph, mask: Op) -> list[Op]:
    """The ops that read a mask, alone or as that of a group of heads."""
    found: list[Op] = []
    for user in graph.consumers(mask.outputs[0]):
        several = user.kind == "head_masks"
        found += graph.consumers(user.outputs[0]) if several else [user]
    return found
