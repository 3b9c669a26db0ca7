"""The law `padding`: padding, and the ids at padding, do not change outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from ....spec.branches import branch_blocks
from ....spec.head import Contrastive
from ....spec.masks import Range, atoms
from ....spec.part import Part
from ....spec.positions import DynamicScaling, LongRope, Rotary
from ..arguments import Data
from ..measure import Largest, Measured, NotHere
from ..subject import Subject
from .sight import COUNT_PADDING, CROWDED, attending, crowded, masks_of, word_stacks


def padding(subject: Subject) -> Measured | NotHere:
    """Compare hidden states of real tokens and outputs, for left and right padding.

    Every stack that attends to tokens takes a mask of padding.
    """
    if missing := _without_mask(subject):
        return Measured(float("inf"), 0, f"no argument `{missing[0]}`")
    if crowded(subject):
        return NotHere(CROWDED)
    largest, reasons = Largest(), []
    for side in ("right", "left"):
        reason = moved_by_padding(subject, side)
        if reason:
            reasons.append(f"{side}: {reason}")
            continue
        data = subject.data(f"padded {side}")
        single = subject.arguments.single(data)
        for stream, stack in word_stacks(subject):
            mask = subject.arguments.own_mask(stream, data)
            if mask is None:
                continue
            real, hidden = mask[1] == 1, subject.hidden_of(stream, stack, data)
            alone = subject.hidden_of(stream, stack, single)[0]
            largest.compare(hidden[1][real], alone, f"padded {side}: {stack}")
            named = f"{stream.prefix}attention_mask"
            truths = subject.hidden_of(stream, stack, {**data, named: data[named].astype(bool)})
            largest.compare(truths, hidden, f"a boolean mask {side}: {stack}")
            if not counts_words(subject):
                other = subject.hidden_of(stream, stack, _scribbled(subject, data))
                where = f"other ids at the padding {side}: {stack}"
                largest.compare(other[1][real], hidden[1][real], where)
        _compare_results(subject, data, single, side, largest)
        _other_vectors(subject, data, side, largest)
    _row_of_padding(subject, largest)
    if not largest.compared:
        return NotHere("; ".join(reasons) or "there is no argument for padding")
    return largest.measured("; ".join(reasons))


def _without_mask(subject: Subject) -> list[str]:
    """The masks of padding that the model should take, but does not."""
    known = subject.arguments.known()
    streams = [
        s for s in subject.arguments.streams() if attending(subject, subject.stack_of(s.ids))
    ]
    masks = [f"{stream.prefix}attention_mask" for stream in streams]
    return [name for name in masks if name not in known]


def _row_of_padding(subject: Subject, largest: Largest) -> None:
    """A row without any tokens has finite hidden states and gradients, and changes no other."""
    plain = subject.data("plain")
    data = dict(plain)
    for stream in subject.arguments.streams():
        name = f"{stream.prefix}attention_mask"
        if name in subject.arguments.known():
            mask = np.ones_like(plain[stream.ids])
            mask[1] = 0
            data[name] = subject.arguments.whole_mask(stream, mask)
    for name, length in subject.arguments.marks.masks():
        data[name] = np.repeat([[1], [0]], length, axis=1)
    if data.keys() == plain.keys():
        return
    for _, stack in word_stacks(subject):
        found, expected = subject.hidden(stack, data), subject.hidden(stack, plain)
        largest.compare(found[0], expected[0], f"beside a row of padding: {stack}")
        if not bool(found.isfinite().all()):
            largest.take(float("inf"), f"a row of padding is not finite: {stack}")
    for name, value in subject.results(data).items():
        if not bool(value.isfinite().all()):
            largest.take(float("inf"), f"a row of padding is not finite: {name}")


def _compare_results(
    subject: Subject, data: Data, single: Data, side: str, largest: Largest
) -> None:
    """Compare outputs of sequences, except pooling of the first token, if this is padding."""
    found, alone = subject.results(data), subject.results(single)
    for name, head in subject.spec.heads.items():
        if found[name].dim() != 2 or found[name].size(0) != 2:
            continue
        if isinstance(head, Contrastive):  # the padded sequence is the second row
            firsts = [tower.pool.type.startswith("first") for tower in head.towers.values()]
            if side == "right" or not any(firsts):
                where = f"padded {side}: {name}"
                largest.compare(found[name][1:, 1:], alone[name], where)
            continue
        if side == "left" and getattr(getattr(head, "pool", None), "type", "").startswith("first"):
            continue
        largest.compare(found[name][1], alone[name][0], f"padded {side}: {name}")


def _other_vectors(subject: Subject, data: Data, side: str, largest: Largest) -> None:
    """Other vectors at padding change neither hidden states of real ones nor outputs."""
    for name, _ in subject.arguments.marks.masks():
        fact = subject.arguments.marks.source(name)
        if fact is None or fact.argument not in data:
            continue
        real = data[name] == 1
        other = np.where(real[..., None], data[fact.argument], 1 - data[fact.argument])
        changed = {**data, fact.argument: other}
        where = f"other vectors at the padding {side}"
        stack = subject.stack_of(fact.argument)
        places = torch.from_numpy(real)  # without learned tokens in front
        found, expected = (
            subject.hidden(stack, given)[:, -real.shape[1] :][places] for given in (changed, data)
        )
        largest.compare(found, expected, where)
        for reader, other_fact in subject.graph.inputs.items():
            if stack in subject.graph.stack_facts[reader].reads and other_fact.stack != stack:
                found, expected = subject.hidden(reader, changed), subject.hidden(reader, data)
                largest.compare(found, expected, f"{where}: {reader}")
        before, after = subject.results(data), subject.results(changed)
        for head in [*_pooled(subject, before, side)]:
            largest.compare(after[head], before[head], f"{where}: {head}")


def _pooled(subject: Subject, found: Mapping[str, Tensor], side: str) -> Iterator[str]:
    """Heads with one result for each sequence, except those of a first token that is padding."""
    for name, head in subject.spec.heads.items():
        pools = [tower.pool for tower in getattr(head, "towers", {}).values()]
        pools += [pool] if (pool := getattr(head, "pool", None)) is not None else []
        first = any(pool.type.startswith("first") for pool in pools)
        if found[name].dim() == 2 and found[name].size(0) == 2 and not (first and side == "left"):
            yield name


def _scribbled(subject: Subject, data: Data) -> Data:
    """The same input with other ids at padding."""
    made = dict(data)
    for stream in subject.arguments.streams():
        mask = subject.arguments.own_mask(stream, data)
        if mask is not None:
            words = subject.arguments.draw("scribble", mask.shape, stream.rows)
            words[np.isin(words, [*stream.placed])] = subject.arguments.ordinary(stream)[0]
            made[stream.ids] = np.where(mask == 1, data[stream.ids], words)
    return made


def counts_words(subject: Subject) -> bool:
    """Whether the model depends on ids at padding: positions that count ids, or a token pool."""
    counted = any(
        getattr(position, "skip_padding", False) == "tokens"
        for stack in subject.spec.stacks.values()
        for position in stack.positions
    )
    return counted or any(key != "pad" for key in subject.arguments.kept_ids)


def moved_by_padding(subject: Subject, side: str) -> str:
    """Why padding on this side changes the model's masks or angles; "" if it does not."""
    for stream, stack in word_stacks(subject):
        before, after = subject.arguments.around(stream)
        if after or (before and side == "left"):
            return "it stands between these tokens and others"
        for block in attending(subject, stack):
            used = [atom for mask in masks_of(block) for atom in atoms(mask)]
            if side == "left" and any(atom.name in COUNT_PADDING for atom in used):
                return "its mask depends on the index from the beginning of the row"
            ends = [arg for atom in used for arg in atom.args if isinstance(arg, Range)]
            counted = any(min(end.start or 0, end.stop or 0) < 0 for end in ends)
            if counted or any(atom.name == "random" for atom in used):
                return "its mask depends on the index from the end of the row"
    longest = max((s.longest for s in subject.arguments.streams()), default=0)
    if first_length(subject) < longest:
        return "its angles depend on the longest sequence of the batch"
    return ""


def first_length(subject: Subject, *kinds: type[Part]) -> int:
    """The smallest original length of these RoPE scalings."""
    lengths = [
        position.scaling.original_max_positions
        for stack in subject.spec.stacks.values()
        for block in branch_blocks(stack.blocks.values())
        for position in block.positions
        if isinstance(position, Rotary)
        and isinstance(position.scaling, (DynamicScaling, LongRope))
        and isinstance(position.scaling, kinds or Part)
    ]
    return min(lengths, default=10**9)
