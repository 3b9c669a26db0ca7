"""Make a spec small, keeping its structure.

Kept are all parts, the ratios of heads, key-value heads and expert groups, patterns of layers,
shared weights, equality and order of sizes, rotated fractions, and windows narrower than a
sequence. All else becomes as small as possible. Candidates are checked by the laws of the language,
so no rule is repeated here.
"""

from __future__ import annotations

from itertools import product
from typing import Any

from ...spec.branches import branch_blocks
from ...spec.laws import findings
from ...spec.laws.rotary import rotaries, turned
from ...spec.masks import And, Atom, Mask, Not, Or, Range, atoms
from ...spec.model import ModelSpec
from ...spec.part import Nothing, Part
from .shrink_positions import fit_positions
from .shrink_rules import RULES, Kept
from .shrink_sizes import KINDS, kind_of, parts_of, ranked, special_ids

WIDTHS = (32, 40, 48, 64, 24, 80, 96, 120, 128, 144, 160, 192, 240, 256, 320, 384)
HEAD_WIDTHS = (12, 16, 8, 20, 24, 32, 40, 64)

SPANS: dict[str, tuple[int, int]] = {
    "window": (5, 2),
    "band": (3, 1),
    "strided": (3, 1),
    "blocks": (4, 1),
    "fixed": (4, 1),
    "random": (4, 1),
}
"""Predicate -> new value of its smallest number; all are below the length of a test sequence."""
RANGE_ENDS = (3, 2)
LEAST_IDS = 3
Sizes = dict[str, dict[int, int]]


def shrink(spec: ModelSpec, *, whole_order: bool = False) -> ModelSpec:
    """The small spec; the spec itself if no smaller one is valid.

    With `whole_order`, its layers are the first ones, until each kind has occurred.
    """
    values = _values(spec)
    heads = {True: HEAD_WIDTHS, False: HEAD_WIDTHS[:1]}["head width" in values]
    for pairs in (True, False):  # prefer several rotated pairs
        for width, head in product(WIDTHS, heads):
            bases = {**KINDS, "width": (width, 8), "head width": (head, 4)}
            sizes = {kind: ranked(found, *bases[kind]) for kind, found in values.items()}
            small = _Small(spec, sizes, whole_order=whole_order).spec()
            if any(not found.warning for found in findings(small)):
                continue
            if not pairs or _turns_enough(small):
                return small
    return spec


def one_of_each(spec: ModelSpec) -> ModelSpec:
    """A spec with only the first layer of each kind."""
    stacks = {}
    for name, stack in spec.stacks.items():
        order = tuple(dict.fromkeys(stack.order))
        stacks[name] = stack.model_copy(update={"order": order, "layers": len(order)})
    return spec.model_copy(update={"stacks": stacks})


def _values(spec: ModelSpec) -> dict[str, set[int]]:
    """All numbers to reduce, by kind."""
    found: dict[str, set[int]] = {}
    for part in parts_of(spec):
        for name in type(part).model_fields:
            value, kind = getattr(part, name), kind_of(part, name)
            if kind and isinstance(value, int):
                found.setdefault(kind, set()).add(value)
    return found


def _turns_enough(spec: ModelSpec) -> bool:
    """Whether each rotated head has two pairs, or four with RoPE scaling."""
    for stack in spec.stacks.values():
        for block in stack.blocks.values():
            for _, position in rotaries(block):
                least = 4 if isinstance(position.scaling, Nothing) else 8
                if (turned(block, stack, position) or least) < least:
                    return False
    return True


class _Small:
    """One attempt: the spec with these sizes."""

    def __init__(self, spec: ModelSpec, sizes: Sizes, *, whole_order: bool) -> None:
        self.old, self.sizes = spec, sizes
        self.kept = Kept(self._small_ids(), whole_order)
        self.spans = self._small_spans()

    def spec(self) -> ModelSpec:
        made = self.part(self.old)
        assert isinstance(made, ModelSpec)
        stacks = {name: fit_positions(stack) for name, stack in made.stacks.items()}
        return made.model_copy(update={"stacks": stacks})

    def part(self, part: Part) -> Part:
        """A part with smaller numbers and nested parts."""
        update: dict[str, Any] = {}
        for name in type(part).model_fields:
            old = getattr(part, name)
            kind = kind_of(part, name)
            new = self.sizes[kind][old] if kind and isinstance(old, int) else self.value(old)
            if new is not old:
                update[name] = new
        for cls, rule in RULES.items():
            if isinstance(part, cls):
                update |= rule(self.kept, part, update)
        return part.model_copy(update=update) if update else part

    def value(self, value: Any) -> Any:
        if isinstance(value, Part):
            return self.part(value)
        if isinstance(value, Mask):
            return self.mask(value)
        if isinstance(value, dict):
            made = {key: self.value(inner) for key, inner in value.items()}
            return made if any(made[key] is not value[key] for key in value) else value
        if isinstance(value, tuple):
            new = tuple(self.value(inner) for inner in value)
            return new if any(a is not b for a, b in zip(new, value, strict=True)) else value
        return value

    # -- token ids

    def _small_ids(self) -> dict[int, int]:
        """Special ids inside the small vocabulary; equal ones stay equal."""
        rows = min(self.sizes.get("vocabulary", {0: 61}).values())
        ids = {
            value
            for part in parts_of(self.old)
            for name, value in special_ids(part)
            if isinstance(value, int)
        }
        taken = {value for value in ids if value < rows}
        free = (number for number in range(LEAST_IDS, rows) if number not in taken)
        return {value: value if value < rows else next(free, 0) for value in sorted(ids)}

    # -- masks

    def _small_spans(self) -> dict[str, dict[int, int]]:
        formulas = [
            mask
            for stack in self.old.stacks.values()
            for block in branch_blocks(stack.blocks.values())
            for mask in (block.mask if isinstance(block.mask, tuple) else (block.mask,))
        ]
        spans: dict[str, set[int]] = {}
        for atom in (atom for mask in formulas for atom in atoms(mask)):
            for arg in atom.args[: 2 if atom.name == "band" else 1]:
                if isinstance(arg, int):
                    spans.setdefault(atom.name, set()).add(arg)
                elif isinstance(arg, Range):
                    spans.setdefault("ends", set()).update(_ends(arg))
        bases = {**SPANS, "ends": RANGE_ENDS}
        return {name: ranked(found, *bases[name]) for name, found in spans.items()}

    def mask(self, mask: Mask) -> Mask:
        if isinstance(mask, Not):
            return Not(self.mask(mask.part))
        if isinstance(mask, (And, Or)):
            return type(mask)(tuple(self.mask(part) for part in mask.parts))
        assert isinstance(mask, Atom)
        args = tuple(self.argument(mask.name, i, arg) for i, arg in enumerate(mask.args))
        if mask.name == "fixed" and isinstance(mask.args[0], int) and isinstance(mask.args[1], int):
            share = round(int(args[0]) * mask.args[1] / mask.args[0])
            args = (args[0], max(1, share))
        if mask.name == "random":
            args = (args[0], min(int(args[1]), 2), *args[2:])
        return mask if args == mask.args else Atom(mask.name, args)

    def argument(self, atom: str, index: int, arg: Any) -> Any:
        if isinstance(arg, Range):
            start, stop = (self._end(end) for end in (arg.start, arg.stop))
            return Range(start, stop)
        known = self.spans.get(atom, {})
        return known.get(arg, arg) if index == 0 or atom == "band" else arg

    def _end(self, end: int | None) -> int | None:
        if not end:
            return end
        return (1 if end > 0 else -1) * self.spans["ends"][abs(end)]


def _ends(limits: Range) -> set[int]:
    return {abs(end) for end in (limits.start, limits.stop) if end}
