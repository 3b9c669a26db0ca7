"""Test inputs for any model, from its spec and graph: ids, images, padding, documents.

A case has two sequences for each stream, of different lengths if there is padding. Seeds are
derived from names, so a spec is always tested with the same data.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...compiler.graph import ModuleGraph, Op
from ...spec.embedding import ConvStem
from ...spec.model import ModelSpec, SpecialTokens
from ...spec.pool import TokenPool
from .shrink import parts_of

Array = NDArray[Any]
Data = dict[str, Array]

LENGTHS = ((13, 9), (10, 7), (11, 8), (7, 5))
"""Real tokens of the two sequences of the first stream, the second …"""

LONG = 40
ROLES = ("attention_mask", "position_ids", "document_ids", "prefix_length", "global_mask")


@dataclass(frozen=True)
class Stream:
    """The tokens of one argument.

    longest, shorter: lengths of its two sequences; `fixed` if the input determines the length
    """

    ids: str
    prefix: str
    rows: int
    longest: int
    shorter: int


@dataclass(frozen=True, eq=False)
class Arguments:
    """Builds the inputs of a model."""

    spec: ModelSpec
    graph: ModuleGraph

    # -- properties of the model

    def known(self) -> dict[str, Op]:
        return {op.name: op for op in self.graph.ops("") if op.kind == "argument"}

    def optional(self, name: str) -> bool:
        return self.graph.values[self.known()[name].outputs[0]].optional

    def streams(self) -> list[Stream]:
        """Token-id arguments, in the order in which they are read."""
        found: list[Stream] = []
        for name, op in self.known().items():
            value = self.graph.values[op.outputs[0]]
            if value.dtype != "int" or value.optional or len(value.shape) != 2:
                continue
            prefix = name.removesuffix("input_ids")
            if prefix == name:
                prefix = name.removesuffix("_ids") + "_"
            longest, shorter = LENGTHS[min(len(found), len(LENGTHS) - 1)]
            limit = self.limit(name)
            if limit < longest:
                longest, shorter = limit, max(1, limit * 2 // 3)
            found.append(Stream(name, prefix, self.entries(op), longest, shorter))
        return found

    def limit(self, ids: str, longest: int = LONG) -> int:
        """Maximum number of tokens of the stack that reads these ids, at most `longest`."""
        for name, stack in self.spec.stacks.items():
            read = any(getattr(source, "argument", "") == ids for source in stack.input)
            if read and name in self.graph.limits:
                return min(int(self.graph.limits[name]), max(longest, LONG))
        return longest

    def entries(self, op: Op) -> int:
        """Number of entries of the smallest embedding that an argument indexes."""
        readers = self.graph.consumers(op.outputs[0])
        for reader in [one for one in readers if one.kind == "drop_labels"]:
            readers += self.graph.consumers(reader.outputs[0])
        rows = [int(r.weights[0].shape[0]) for r in readers if r.kind == "embedding"]
        return min(rows, default=8)

    @cached_property
    def kept_ids(self) -> dict[str, int]:
        """Special ids: `pad`, and those that a pool searches for."""
        found: dict[str, int] = {}
        for part in parts_of(self.spec):
            if isinstance(part, SpecialTokens) and part.pad is not None:
                found["pad"] = part.pad
            if isinstance(part, TokenPool):
                found[f"pooled {part.id}"] = part.id
        return found

    # -- cases

    def plain(self) -> Data:
        """Required arguments only: two sequences without padding."""
        data = {
            name: self._floats(op)
            for name, op in self.known().items()
            if not self.optional(name) and self.graph.values[op.outputs[0]].dtype != "int"
        }
        for name, op in self.known().items():
            shape = self.graph.values[op.outputs[0]].shape
            integers = self.graph.values[op.outputs[0]].dtype == "int"
            if not self.optional(name) and len(shape) == 1 and integers:
                data[name] = self.draw(name, (2,), self.entries(op))
        for stream in self.streams():
            data[stream.ids] = self.words(stream, stream.longest)
        return data

    def padded(self, side: str) -> Data:
        """The second sequence is shorter and padded on one side; positions skip padding."""
        data = self.plain()
        known = self.known()
        pad = self.kept_ids.get("pad", 0)
        for stream in self.streams():
            real = np.ones_like(data[stream.ids])
            gap = stream.longest - stream.shorter
            real[1, slice(stream.shorter, None) if side == "right" else slice(0, gap)] = 0
            data[stream.ids] = np.where(real == 1, data[stream.ids], pad)
            data[f"{stream.prefix}attention_mask"] = real
            places = np.maximum(np.cumsum(real, axis=1) - 1, 0)
            data[f"{stream.prefix}position_ids"] = places
            chosen = self.draw(f"{stream.prefix}global", real.shape, 4) == 0
            data[f"{stream.prefix}global_mask"] = chosen.astype(np.int64) * real
        data |= self._added(data)
        return {name: value for name, value in data.items() if name in known}

    def unplaced(self, side: str) -> Data:
        """The same without `position_ids`."""
        data = self.padded(side)
        return {name: a for name, a in data.items() if not name.endswith("position_ids")}

    def everything(self) -> Data:
        """All arguments: documents, a prefix, global tokens, positions. The two rows differ."""
        data = self.plain()
        for stream in self.streams():
            length = stream.longest
            both = (2, length)
            cuts = ((length // 3, length // 2), (length // 2, length - 2))
            index = np.arange(length)
            document = np.stack([np.searchsorted(ends, index, "right") for ends in cuts])
            begun = np.stack([np.searchsorted(row, row) for row in document])
            data[f"{stream.prefix}document_ids"] = document
            data[f"{stream.prefix}position_ids"] = index - begun
            data[f"{stream.prefix}prefix_length"] = np.array([length // 2, 1])
            chosen = self.draw(f"{stream.prefix}given", both, 5) == 0
            data[f"{stream.prefix}global_mask"] = chosen.astype(np.int64)
            data[f"{stream.prefix}attention_mask"] = np.ones(both, np.int64)
        data |= self._added(data)
        known = self.known()
        return {name: value for name, value in data.items() if name in known}

    def packed(self, side: str) -> Data:
        """All arguments, and padding on one side of the second row."""
        data, padded = self.everything(), self.padded(side)
        for stream in self.streams():
            mask = f"{stream.prefix}attention_mask"
            if mask not in data:
                continue
            data |= {name: padded[name] for name in (stream.ids, mask)}
            marks = f"{stream.prefix}global_mask"
            if marks in data:
                data[marks] = data[marks] * data[mask]
        return data

    def long(self) -> Data:
        """One sequence per stream that is longer than all windows, without optional arguments."""
        data = {name: value[:1] for name, value in self.plain().items()}
        for stream in self.streams():
            length = min(LONG, self.limit(stream.ids))
            data[stream.ids] = self.words(stream, length)[:1]
        return data

    def single(self, padded: Data) -> Data:
        """The second sequence of padded data, without its padding."""
        found = {name: value[1:] for name, value in padded.items()}
        for stream in self.streams():
            mask = padded.get(f"{stream.prefix}attention_mask")
            if mask is None:
                continue
            real = mask[1] == 1
            for name in self.companions(stream):
                if name in found and found[name].ndim == 2:
                    found[name] = found[name][:, real]
            found.pop(f"{stream.prefix}attention_mask")
            found.pop(f"{stream.prefix}position_ids", None)
        return found

    def companions(self, stream: Stream) -> list[str]:
        """The arguments with one number per token of a stream."""
        own = [stream.ids, *(f"{stream.prefix}{role}" for role in ROLES if role != "prefix_length")]
        return [*own, *self.added_names(stream)]

    def added_names(self, stream: Stream) -> list[str]:
        """Further embedding arguments that are added to those of these ids."""
        found: list[str] = []
        for stack in self.spec.stacks.values():
            for source in stack.input:
                if getattr(source, "argument", "") == stream.ids:
                    found += list(getattr(source, "add", {}))
        return list(dict.fromkeys(found))

    def _added(self, data: Data) -> Data:
        known = self.known()
        return {
            name: self.draw(name, data[stream.ids].shape, self.entries(known[name]))
            for stream in self.streams()
            for name in self.added_names(stream)
            if name in known
        }

    def words(self, stream: Stream, length: int) -> Array:
        """Two rows of ordinary token ids, plus those that a pool searches for."""
        special = set(self.kept_ids.values())
        words = np.array([i for i in range(stream.rows) if i not in special] or [0])
        ids: Array = words[self.draw(stream.ids, (2, length), len(words))]
        pooled = [i for key, i in self.kept_ids.items() if key != "pad" and i < stream.rows]
        for place, number in enumerate(pooled):
            ids[:, min(length - 1, stream.shorter - 1 - place)] = number
            ids[1, max(0, stream.longest - stream.shorter) + place] = number
        return ids

    def _floats(self, op: Op) -> Array:
        """Two rows of floats; axes of unknown length are as long as a sequence, or as convolutions
        need for that many tokens.
        """
        shape = self.graph.values[op.outputs[0]].shape[1:]
        stems = [
            source
            for stack in self.spec.stacks.values()
            for source in stack.input
            if isinstance(source, ConvStem) and source.argument == op.name and not source.padded
        ]
        length = stems[0].frames(LENGTHS[0][0]) if stems else LENGTHS[0][0]
        sizes = [length if dim.size is None else int(dim.size) for dim in shape]
        drawn: Array = _generator(op.name).standard_normal((2, *sizes))
        return drawn

    @staticmethod
    def draw(name: str, shape: tuple[int, ...], entries: int) -> Array:
        return _generator(name).integers(0, entries, shape)


def _generator(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))
