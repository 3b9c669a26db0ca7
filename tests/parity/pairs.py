"""One model built from a spec, and the same model of another library with the same weights.

A table says, for each module of ours, which module of theirs holds its weights: a dotted name, or
a `Piece` of one that holds several fused. `{i}` stands for the number of a layer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from perturb import perturb
from torch import Tensor, nn

import modelwright as mw


@dataclass(frozen=True)
class Piece:
    """Part of a weight (and of the bias beside it) of a module of theirs."""

    module: str
    take: Callable[[Tensor], Tensor] = lambda tensor: tensor
    heads: int = 0  # `{h}` in the module's name: the tensors of that many heads, stacked
    beside: tuple[str, ...] = ()  # more modules, whose rows follow its own


def rows(module: str, start: int, stop: int) -> Piece:
    """The rows `start` to `stop` of what is fused."""
    return Piece(module, lambda tensor: tensor[start:stop])


def share(module: str, index: int, of: int) -> Piece:
    """One of several equal runs of rows."""
    return Piece(module, lambda tensor: tensor.chunk(of)[index])


def share_of_heads(module: str, index: int, of: int, heads: int) -> Piece:
    """The same, where each head has its own query, key and value rows together."""
    return Piece(
        module, lambda tensor: tensor.unflatten(0, (heads, of, -1))[:, index].flatten(0, 1)
    )


def columns(module: str, index: int = 0, of: int = 1) -> Piece:
    """One of several equal runs of columns of a weight stored as (in, out)."""
    return Piece(module, lambda tensor: tensor.chunk(of, dim=-1)[index].t())


Table = Mapping[str, "str | Piece"]


@dataclass(frozen=True, eq=False)
class Pair:
    """A spec, a maker of the model that it should equal, and whose weights are whose.

    result      what to read in their output
    places      do both take `position_ids`? Then they are given where padding stands on the left
    caches      would theirs keep a cache unless told not to?
    unmapped    names of theirs that are no weights of their own (a tied copy), as a pattern
    """

    name: str
    spec: str
    theirs: Callable[[], nn.Module]
    table: Table
    result: Callable[[Any], Any] = lambda output: output.logits
    places: bool = True
    caches: bool = True
    unmapped: str = r"lm_head\.weight"

    def __str__(self) -> str:
        return self.name


@cache
def built(pair: Pair, std: float = 0.1) -> tuple[nn.Module, nn.Module]:
    """Ours and theirs, with equal weights, moved by N(0, std), ready to be compared."""
    torch.manual_seed(0)
    theirs = perturb(pair.theirs().float(), std=std)
    ours = mw.compile(mw.loads(pair.spec)).eval()
    ours.load_state_dict(mapped(pair, ours.state_dict(), theirs.state_dict()))
    return ours, theirs


def mapped(
    pair: Pair, ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """A state dict of ours from theirs; every weight of both must have been spoken of."""
    found: dict[str, Tensor] = {}
    used: set[str] = set()
    for name, wanted in ours.items():
        module, _, kind = name.rpartition(".")
        source = _source(pair.table, name, module, kind)
        names = [source.module.replace("{h}", str(h)) for h in range(max(source.heads, 1))]
        names += source.beside
        assert names[0] in theirs, f"{pair}: {name} should come from {names[0]}, not there"
        tensors = [theirs[each] for each in names]
        joined = torch.cat(tensors, dim=-2) if source.beside else tensors[0]
        found[name] = source.take(torch.stack(tensors) if source.heads else joined)
        used.update(names)
        assert found[name].shape == wanted.shape, (name, found[name].shape, wanted.shape)
    left = [name for name in theirs if name not in used and not re.fullmatch(pair.unmapped, name)]
    assert not left, f"{pair}: nobody takes {left}"
    return found


def _source(table: Table, name: str, module: str, kind: str) -> Piece:
    """Where a weight of ours comes from, by its own name, its module's, or that of any layer."""
    for text, tail in ((name, ""), (module, f".{kind}")):
        layer = re.search(r"\.(\d+)\.", f".{text}.")
        general = re.sub(r"(^|\.)\d+(?=\.)", r"\1{i}", text)
        entry = table.get(text, table.get(general))
        if entry is not None:
            piece = entry if isinstance(entry, Piece) else Piece(entry)
            number = layer.group(1) if layer else ""
            return replace(piece, module=piece.module.replace("{i}", number) + tail)
    raise AssertionError(f"no table entry for {name}")


def within(ours: str, theirs: str, parts: Table) -> dict[str, str | Piece]:
    """The entries of a module, both sides below their own prefix."""
    return {
        f"{ours}.{name}": replace(entry, module=f"{theirs}.{entry.module}")
        if isinstance(entry, Piece)
        else f"{theirs}.{entry}"
        for name, entry in parts.items()
    }
