"""Test inputs for any model, from its spec and graph: ids, images, padding, documents.

A case has two sequences for each stream, of different lengths if there is padding. Seeds are
derived from names, so a spec is always tested with the same data.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...compiler.facts import PartFact
from ...compiler.graph import ModuleGraph, Op
from ...spec.embedding import ConvStem
from ...spec.model import ModelSpec, SpecialTokens
from ...spec.pool import TokenPool
from .marks import ROLES, Marks
from .shrink_sizes import parts_of

Array = NDArray[Any]
Data = dict[str, Array]

LENGTHS = ((13, 9), (10, 7), (11, 8), (7, 5))
"""Real tokens of the two sequences of the first stream, the second …"""

LONG = 40
TABLES = ("embedding", "pair_bias")


@dataclass(frozen=True)
class Stream:
    """The tokens of one argument.

    longest, shorter: lengths of its two sequences; `fixed` if the input determines the length
    placed: token id -> how many of its tokens stand for vectors of other arguments, in each row
    """

    ids: str
    prefix: str
    rows: int
    longest: int
    shorter: int
    placed: dict[int, int] = field(default_factory=dict)

    @property
    def places(self) -> dict[int, slice]:
        """Token id -> positions of its tokens; these are never padding."""
        found, start = {}, self.longest - self.shorter
        for number, count in self.placed.items():
            found[number] = slice(start, start + count)
            start += count
        return found


@dataclass(frozen=True, eq=False)
class Arguments:
    """Builds the inputs of a model."""

    spec: ModelSpec
    graph: ModuleGraph

    # -- properties of the model

    def known(self) -> dict[str, Op]:
        return {op.name: op for op in self.graph.ops("") if op.kind == "argument"}

    @cached_property
    def marks(self) -> Marks:
        """What says more about vectors that are not those of tokens."""
        return Marks(self, [stream.prefix for stream in self.streams()])

    def optional(self, name: str) -> bool:
        """Whether it says more about other data; not so vectors that may be absent."""
        data = any(fact.argument == name for fact in self.graph.sources())
        return self.graph.values[self.known()[name].outputs[0]].optional and not data

    @cached_property
    def _placing(self) -> dict[str, dict[int, int]]:
        """Argument of ids -> token id -> how many vectors replace its tokens in each row."""
        found: dict[str, dict[int, int]] = {}
        for ids, stack, token, skipped in self._placed():
            found.setdefault(ids, {})[token] = self._whole_length(stack) - skipped
        return found

    def _whole_length(self, stack: str) -> int:
        """Number of tokens of a stack in these cases, with those that stand for vectors."""
        ids = self.first_argument(stack)
        placed = [
            self._whole_length(other) - skipped
            for argument, other, _, skipped in self._placed()
            if argument == ids
        ]
        return self.length_of(stack) + sum(placed)

    def _placed(self) -> Iterator[tuple[str, str, int, int]]:
        """Argument of ids, stack whose vectors replace tokens, their id, number of skipped ones."""
        for op in self.graph.ops():
            if op.kind != "place_rows":
                continue
            stack, between = self.graph.from_states(op.arg("rows"))
            skipped = sum(int(one.attrs["count"]) for one in between if one.kind == "skip_tokens")
            ids = self.graph.values[op.arg("ids")].name
            yield ids, stack, int(op.attrs["token"]), skipped

    def states(self, stream: Stream) -> Iterator[tuple[str, int, int]]:
        """Stack whose vectors replace tokens of these ids, their id, number of skipped ones."""
        for ids, stack, token, skipped in self._placed():
            if ids == stream.ids:
                yield stack, token, skipped

    @cached_property
    def sources(self) -> set[str]:
        """The arguments whose vectors replace tokens: their number never changes in these cases."""
        return {self.first_argument(stack) for _, stack, *_ in self._placed()}

    def length_of(self, stack: str) -> int:
        """Number of tokens of a stack in these cases, without those that stand for vectors."""
        fact, length = self.graph.inputs[stack], self.graph.lengths.get(stack)
        if length is not None:
            return int(length)
        if fact.stack:
            return self.length_of(fact.stack) - fact.skip + fact.prefix
        if stack in self.graph.parts:
            own = [s.longest for s in self._plain_streams() if s.ids == fact.argument]
            return sum([*own, fact.prefix, *map(self.of_part, self.graph.parts[stack])])
        for stream in self._plain_streams():
            if stream.ids == fact.argument:
                return stream.longest + fact.prefix
        return fact.tokens(self._floats(self.known()[fact.argument]).shape[fact.axis])

    def vectors(self, stream: Stream) -> list[str]:
        """The arguments whose vectors replace tokens of this stream."""
        return [self.first_argument(stack) for stack, *_ in self.states(stream)]

    def may_be_absent(self, stream: Stream) -> bool:
        """Whether tokens of this stream need not stand for vectors."""
        hidden = (self.graph.hidden[stack] for stack, *_ in self.states(stream))
        return all(self.graph.values[value].optional for value in hidden)

    def without_places(self, data: Data) -> Data:
        """The same without vectors that replace tokens, with other tokens in their places."""
        found = dict(data)
        for stream in self.streams():
            if not stream.placed or not self.may_be_absent(stream):
                continue
            for name in self.vectors(stream):
                found.pop(name, None)
            for number in stream.placed:
                ids = found[stream.ids]
                found[stream.ids] = np.where(ids == number, self.ordinary(stream)[0], ids)
        return found

    def _plain_streams(self) -> list[Stream]:
        """The same, without the tokens that stand for vectors."""
        found: list[Stream] = []
        for name, op in self.known().items():
            value = self.graph.values[op.outputs[0]]
            if value.dtype != "int" or self.optional(name) or len(value.shape) != 2:
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

    def streams(self) -> list[Stream]:
        """Token-id arguments, in the order in which they are read."""
        return [self._with_places(stream) for stream in self._plain_streams()]

    def _with_places(self, stream: Stream) -> Stream:
        """A stream that is long enough for the tokens that stand for vectors."""
        placed = self._placing.get(stream.ids, {})
        more = sum(placed.values())
        room = min(more, self.limit(stream.ids) - stream.longest)
        longest, shorter = stream.longest + room, stream.shorter + room
        return replace(stream, longest=longest, shorter=shorter, placed=placed)

    def limit(self, ids: str, longest: int = LONG) -> int:
        """Maximum number of tokens of the stack that reads these ids, at most `longest`."""
        found = [
            min(int(limit) - self.more_tokens(name), max(longest, LONG))
            for name, limit in self.graph.limits.items()
            if self.first_argument(name) == ids
        ]
        return min(found, default=longest)

    def more_tokens(self, stack: str) -> int:
        """Number of learned tokens beside those of a stack's argument."""
        fact = self.graph.inputs[stack]
        if stack in self.graph.parts:
            return sum(self._around(fact.argument)) if fact.kind == "tokens" else 0
        return fact.prefix + (self.more_tokens(fact.stack) if fact.stack else 0)

    def around(self, stream: Stream) -> tuple[int, int]:
        """Number of other tokens before and after those of a stream, in the stack that reads it."""
        return self._around(stream.ids)

    def _around(self, ids: str) -> tuple[int, int]:
        read = next((s for s, f in self.graph.inputs.items() if f.argument == ids), "")
        if not read:
            return 0, 0
        parts, fact = self.graph.parts.get(read, ()), self.graph.inputs[read]
        place = next((i for i, part in enumerate(parts) if part.input == fact), 0)
        counts = [self.of_part(part) for part in parts]
        return fact.prefix + sum(counts[:place]), sum(counts[place + 1 :])

    def of_part(self, part: PartFact) -> int:
        """Number of vectors of a joined input in these cases; 0 for token ids."""
        fact = part.input
        if fact.stack:
            return self._whole_length(fact.stack) - fact.skip + fact.prefix
        argument = self.known()[fact.argument]
        known = self.graph.values[argument.outputs[0]].dtype == "int" or part.length is not None
        count = 0 if known else self._floats(argument).shape[fact.axis]
        return int(part.length or 0) if known else fact.tokens(count)

    def own_mask(self, stream: Stream, data: Data) -> Array | None:
        """The mask of the padding of a stream; it may be given for the whole sequence."""
        name = f"{stream.prefix}attention_mask"
        if name not in data:
            return None
        before = self.around(stream)[0] if self._is_whole(name) else 0
        return data[name][:, before : before + data[stream.ids].shape[1]]

    def _is_whole(self, name: str) -> bool:
        """Whether a mask is that of several joined inputs."""
        value = self.graph.values[self.known()[name].outputs[0]]
        ids = [s.ids for s in self.streams() if name == f"{s.prefix}attention_mask"]
        joined = any(self.graph.inputs[stack].argument in ids for stack in self.graph.parts)
        return joined and value.shape[1].label in ("T", "S")

    def whole_mask(self, stream: Stream, mask: Array) -> Array:
        """A mask of the padding of a stream, as the argument of its name."""
        name = f"{stream.prefix}attention_mask"
        if name not in self.known() or not self._is_whole(name):
            return mask
        return np.pad(mask, ((0, 0), self.around(stream)), constant_values=1)

    def first_argument(self, stack: str) -> str:
        """The argument whose tokens are those of a stack, through the stacks before it."""
        fact = self.graph.inputs[stack]
        return self.first_argument(fact.stack) if fact.stack else fact.argument

    def entries(self, op: Op) -> int:
        """Number of entries of the smallest embedding that an argument indexes."""
        readers = self.graph.consumers(op.outputs[0])
        for reader in [one for one in readers if one.kind == "drop_labels"]:
            readers += self.graph.consumers(reader.outputs[0])
        rows = [int(r.weights[0].shape[0]) for r in readers if r.kind in TABLES]
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
            sized = all(dim.size is not None for dim in shape[1:])
            if not self.optional(name) and integers and sized:
                more = [int(dim.size or 1) for dim in shape[1:]]
                data[name] = self.draw(name, (2, *more), self.entries(op))
        for stream in self.streams():
            data[stream.ids] = self.words(stream, stream.longest)
        for fact in self.graph.inputs.values():
            if fact.argument in data:
                tokens = fact.tokens(data[fact.argument].shape[fact.axis])
                data |= self.of_pairs(fact.argument, 2, tokens)
        return data

    def pairs(self, argument: str) -> dict[str, Op]:
        """The arguments with integers for each pair of tokens of the stack that reads this one."""
        found = {}
        for name, op in self.known().items():
            value = self.graph.values[op.outputs[0]]
            axes = [dim.label for dim in value.shape[1:3]]
            if value.dtype == "int" and axes == ["T", "T"] and self._together(argument, name):
                found[name] = op
        return found

    def _together(self, argument: str, name: str) -> bool:
        """Whether one stack reads both arguments."""
        (value,) = self.known()[name].outputs
        readers = {self.graph.scopes[op.scope].stack for op in self.graph.consumers(value)}
        return any(self.graph.inputs[stack].argument == argument for stack in readers)

    def of_pairs(self, argument: str, rows: int, length: int) -> Data:
        """Integers for all pairs of tokens of the stack that reads this argument."""
        found = {}
        for name, op in self.pairs(argument).items():
            more = [int(dim.size or 1) for dim in self.graph.values[op.outputs[0]].shape[3:]]
            found[name] = self.draw(name, (rows, length, length, *more), self.entries(op))
        return found

    def padded(self, side: str, *, alone: bool = False) -> Data:
        """The second sequence is shorter and padded on one side; positions skip padding.

        alone: it has one token, unless some stand for vectors
        """
        data = self.plain()
        known = self.known()
        pad = self.kept_ids.get("pad", 0)
        for stream in self.streams():
            if stream.ids in self.sources:
                continue
            real = np.ones_like(data[stream.ids])
            shorter = 1 if alone and not stream.placed else stream.shorter
            gap = stream.longest - shorter
            real[1, slice(shorter, None) if side == "right" else slice(0, gap)] = 0
            data[stream.ids] = np.where(real == 1, data[stream.ids], pad)
            data[f"{stream.prefix}attention_mask"] = self.whole_mask(stream, real)
            places = np.maximum(np.cumsum(real, axis=1) - 1, 0)
            data[f"{stream.prefix}position_ids"] = places
            chosen = self.draw(f"{stream.prefix}global", real.shape, 4) == 0
            data[f"{stream.prefix}global_mask"] = chosen.astype(np.int64) * real
        data |= self.marks.padded(side)
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
            ones = np.ones(both, np.int64)
            data[f"{stream.prefix}attention_mask"] = self.whole_mask(stream, ones)
        data |= self.marks.everything()
        data |= self._added(data)
        known = self.known()
        return {name: value for name, value in data.items() if name in known}

    def packed(self, side: str) -> Data:
        """All arguments, and padding on one side of the second row."""
        data, padded = self.everything(), self.padded(side)
        for stream in self.streams():
            mask = f"{stream.prefix}attention_mask"
            if mask not in data or mask not in padded:
                continue
            data |= {name: padded[name] for name in (stream.ids, mask)}
            marks = f"{stream.prefix}global_mask"
            if marks in data:
                data[marks] = data[marks] * data[mask]
        for name in self.marks.lengths:
            if name.endswith("attention_mask"):
                data[name] = padded[name]
        return data

    def long(self) -> Data:
        """One sequence per stream that is longer than all windows, without optional arguments."""
        data = {name: value[:1] for name, value in self.plain().items()}
        for stream in self.streams():
            if stream.ids in self.sources:
                continue
            length = min(LONG, self.limit(stream.ids))
            data[stream.ids] = self.words(stream, length)[:1]
            data |= self.of_pairs(stream.ids, 1, length + sum(self.around(stream)))
        return data

    def single(self, padded: Data) -> Data:
        """The second sequence of padded data, without its padding."""
        found = {name: value[1:] for name, value in padded.items()}
        for stream in self.streams():
            mask = self.own_mask(stream, padded)
            if mask is None:
                continue
            real = mask[1] == 1
            found = self.taken(stream, found, real)
            found.pop(f"{stream.prefix}attention_mask")
            found.pop(f"{stream.prefix}position_ids", None)
        return found

    def taken(self, stream: Stream, data: Data, tokens: Array) -> Data:
        """The data with these tokens of a stream, in this order: indices or booleans."""
        own, pairs = self.companions(stream), self.pairs(stream.ids)
        found = dict(data)
        before, after = self.around(stream)
        indices = np.arange(len(data[stream.ids][0]) + before + after)
        first, own_ones, last = np.split(indices, [before, len(indices) - after])
        whole = np.concatenate([first, own_ones[tokens], last])
        for name, value in data.items():
            if name.endswith("attention_mask") and name in own and self._is_whole(name):
                found[name] = value[:, whole]
            elif name in own and value.ndim == 2:
                found[name] = value[:, tokens]
            elif name in pairs:
                found[name] = value[:, whole][:, :, whole]
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
        known, found = self.known(), {}
        for stack in self.spec.stacks.values():
            for source in stack.input:
                tokens = data.get(getattr(source, "argument", ""))
                for name in getattr(source, "add", {}):
                    if tokens is not None and name in known:
                        shape = tokens.shape[:2]
                        found[name] = self.draw(name, shape, self.entries(known[name]))
        return found

    def words(self, stream: Stream, length: int, *, placed: bool = True) -> Array:
        """Two rows of ordinary token ids, plus those that a pool searches for and, if `placed`,
        those that stand for vectors.
        """
        words = self.ordinary(stream)
        ids: Array = words[self.draw(stream.ids, (2, length), len(words))]
        pooled = [i for key, i in self.kept_ids.items() if key != "pad" and i < stream.rows]
        for place, number in enumerate(pooled):
            ids[:, min(length - 1, stream.shorter - 1 - place)] = number
            ids[1, max(0, stream.longest - stream.shorter) + place] = number
        for number, places in stream.places.items() if placed else ():
            ids[:, places] = number
        return ids

    def ordinary(self, stream: Stream) -> Array:
        """The ids without a special meaning."""
        special = {*self.kept_ids.values(), *stream.placed}
        return np.array([i for i in range(stream.rows) if i not in special] or [0])

    def _floats(self, op: Op) -> Array:
        """Two rows of floats; axes of unknown length are as long as a sequence, or as convolutions
        need for that many tokens; those of streams have lengths of their own.
        """
        shape = self.graph.values[op.outputs[0]].shape[1:]
        stems = [
            source
            for stack in self.spec.stacks.values()
            for source in stack.input
            if isinstance(source, ConvStem) and source.argument == op.name and not source.padded
        ]
        length = stems[0].frames(LENGTHS[0][0]) if stems else LENGTHS[0][0]
        axes = [axis for found in self.graph.axes.values() for axis in found]
        lengths = {axis: LENGTHS[i % len(LENGTHS)][1] for i, axis in enumerate(axes)}
        sizes = [
            lengths.get(dim.label, length) if dim.size is None else int(dim.size) for dim in shape
        ]
        drawn: Array = _generator(op.name).standard_normal((2, *sizes))
        return drawn

    @staticmethod
    def draw(name: str, shape: tuple[int, ...], entries: int) -> Array:
        return _generator(name).integers(0, entries, shape)


def _generator(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))
