"""Make a spec small, keeping its structure.

Kept are all parts, the ratios of heads, key-value heads and expert groups, patterns of layers,
shared weights, equality and order of sizes, rotated fractions, and windows narrower than a
sequence. All else becomes as small as possible. Candidates are checked by the laws of the language,
so no rule is repeated here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import pairwise, product
from typing import Any

from ...spec.attention import Mha, Mla, Pairwise
from ...spec.branches import branch_blocks, each_alone, own
from ...spec.embedding import ConvLayer, ConvStem, Features, LearnedInput, Patches, StackInput
from ...spec.feed_forward import Glu, Moe, Router
from ...spec.head import ProjectionHead
from ...spec.laws import findings
from ...spec.laws.rotary import rotaries, turned
from ...spec.masks import And, Atom, Mask, Not, Or, Range, atoms
from ...spec.model import Block, ModelSpec, SpecialTokens, Stack
from ...spec.order import LayerOrder, LayerRule
from ...spec.part import Nothing, Part
from ...spec.pool import TokenPool
from ...spec.positions import (
    Alibi,
    Convolution,
    Disentangled,
    LongRope,
    Rotary,
    Sinusoidal,
    Temperature,
)
from ...spec.sublayers import OuterProductMean, TriangleMultiplication

WIDTHS = (32, 40, 48, 64, 24, 80, 96, 120, 128, 144, 160, 192, 240, 256, 320, 384)
HEAD_WIDTHS = (12, 16, 8, 20, 24, 32, 40, 64)

# kind -> new value of its smallest number, and the step to each larger one
KINDS: dict[str, tuple[int, int]] = {
    "vocabulary": (61, 4),
    "positions": (136, 8),
    "first length": (32, 8),
    "d_ff": (40, 8),
    "hidden": (40, 8),
    "classes": (5, 1),
    "projection": (24, 4),
    "buckets": (8, 2),
    "log buckets": (6, 2),
    "distance": (12, 3),
    "rank": (10, 2),
    "still": (6, 2),
    "turned": (8, 2),
    "latent value": (5, 2),
    "channels": (6, 1),
    "learned tokens": (5, 1),
}
FIELDS: dict[str, str] = {
    "vocab_size": "vocabulary",
    "max_positions": "positions",
    "original_max_positions": "first length",
    "d_model": "width",
    "width": "width",
    "output_width": "width",
    "d_ff": "d_ff",
    "hidden": "hidden",
    "classes": "classes",
    "size": "projection",
    "buckets": "buckets",
    "max_distance": "distance",
    "head_dim": "head width",
    "value_dim": "head width",
    "key_dim": "width",
    "query_rank": "rank",
    "kv_rank": "rank",
    "nope_dim": "still",
    "rope_dim": "turned",
}
SPECIAL_FIELDS: dict[type[Part], dict[str, str]] = {
    Mla: {"value_dim": "latent value"},
    ConvLayer: {"channels": "width"},
    ConvStem: {"channels": "channels"},
    Features: {"size": "width"},
    LearnedInput: {"tokens": "learned tokens"},
    Disentangled: {"buckets": "log buckets"},
    OuterProductMean: {"hidden": "rank"},
    TriangleMultiplication: {"hidden": "rank"},
}
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


def ranked(values: set[int], least: int, step: int) -> dict[int, int]:
    """Map numbers to smaller ones in the same order; none becomes larger.

    >>> ranked({768, 3072, 2}, 40, 8)
    {2: 2, 768: 48, 3072: 56}
    """
    return {value: min(value, least + step * i) for i, value in enumerate(sorted(values))}


def _values(spec: ModelSpec) -> dict[str, set[int]]:
    """All numbers to reduce, by kind."""
    found: dict[str, set[int]] = {}
    for part in parts_of(spec):
        for name in type(part).model_fields:
            value, kind = getattr(part, name), kind_of(part, name)
            if kind and isinstance(value, int):
                found.setdefault(kind, set()).add(value)
    return found


def kind_of(part: Part, name: str) -> str:
    for cls, fields in SPECIAL_FIELDS.items():
        if isinstance(part, cls) and name in fields:
            return fields[name]
    return FIELDS.get(name, "")


def parts_of(value: Any) -> Iterator[Part]:
    """A part and all nested parts."""
    if isinstance(value, Part):
        yield value
        for name in type(value).model_fields:
            yield from parts_of(getattr(value, name))
    elif isinstance(value, dict):
        for inner in value.values():
            yield from parts_of(inner)
    elif isinstance(value, tuple):
        for inner in value:
            yield from parts_of(inner)


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
        self.old, self.sizes, self.whole_order = spec, sizes, whole_order
        self.ids = self._small_ids()
        self.spans = self._small_spans()

    def spec(self) -> ModelSpec:
        made = self.part(self.old)
        assert isinstance(made, ModelSpec)
        stacks = {name: _fitted(stack) for name, stack in made.stacks.items()}
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
                update |= rule(self, part, update)
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
            for name, value in _ids(part)
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


def _ids(part: Part) -> Iterator[tuple[str, Any]]:
    if isinstance(part, SpecialTokens):
        yield from ((name, getattr(part, name)) for name in type(part).model_fields)
    if isinstance(part, TokenPool):
        yield "id", part.id
    if hasattr(part, "replace") and "replace" in type(part).model_fields:
        yield "replace", getattr(part, "replace")  # noqa: B009 - not every part has it


def _ends(limits: Range) -> set[int]:
    return {abs(end) for end in (limits.start, limits.stop) if end}


# -- numbers that depend on each other


def _tokens(small: _Small, part: Part, update: dict[str, Any]) -> dict[str, Any]:
    return {name: small.ids[value] for name, value in _ids(part) if isinstance(value, int)}


def _stack(small: _Small, stack: Stack, update: dict[str, Any]) -> dict[str, Any]:
    order = first_layers(stack.order) if small.whole_order else few_layers(stack.order)
    rule = stack.order.rule
    if rule is not None and not small.whole_order:
        rule = short_rule(rule)
    return {"layers": len(order), "order": LayerOrder.of(order, rule)}


def short_rule(rule: LayerRule) -> LayerRule:
    """The rule with runs of at most two layers. Lowering ignores one that gives another order."""
    overrides = [
        replace(one, last=min(one.last, 1)) if one.first == 0 < one.last else one
        for one in rule.overrides
    ]
    return replace(rule, pattern=short_runs(rule.pattern), overrides=tuple(overrides))


def short_runs(order: Iterable[str]) -> tuple[str, ...]:
    """The kinds of layers, with at most two of the same one after another."""
    runs: list[str] = []
    for kind in order:
        if runs[-2:] != [kind, kind]:
            runs.append(kind)
    return tuple(runs)


def few_layers(order: tuple[str, ...]) -> tuple[str, ...]:
    """The first layers, until each pair of consecutive kinds has occurred.

    Runs have at most two layers.

    >>> few_layers(("local",) * 5 + ("global",) + ("local",) * 5)
    ('local', 'local', 'global', 'local')
    """
    runs = short_runs(order)
    wanted = set(pairwise(runs))
    for length in range(1, len(runs) + 1):
        if set(pairwise(runs[:length])) == wanted and length >= min(2, len(runs)):
            return runs[:length]
    return runs


def first_layers(order: tuple[str, ...]) -> tuple[str, ...]:
    """The first layers, at least two, until each kind has occurred.

    >>> len(first_layers((("local",) * 5 + ("global",)) * 4))
    6
    """
    length = max((order.index(kind) + 1 for kind in set(order)), default=0)
    return order[: max(length, 2)]


def _block(small: _Small, block: Block, update: dict[str, Any]) -> dict[str, Any]:
    """Few heads: as many as masks and ALiBi slopes need."""
    changed: dict[str, Any] = {}
    for name in ("attention", "cross_attention"):
        part = update.get(name, getattr(block, name))
        changed[name] = _few_heads_of(block, part)
    sublayers = update.get("sublayers", block.sublayers)
    changed["sublayers"] = tuple(_few_heads_of(block, part) for part in sublayers)
    return changed


def _few_heads_of(block: Block, part: Any) -> Any:
    """An attention with few heads; other parts as they are."""
    if not isinstance(part, Pairwise):
        return part
    mask, positions = own(block, part, "mask"), own(block, part, "positions")
    runs = len(mask) if isinstance(mask, tuple) else 1
    sloped = any(isinstance(position, Alibi) for position in positions)
    kv_heads = getattr(part, "kv_heads", None)
    return part.model_copy(update=few_heads(part.heads, kv_heads, runs=runs, sloped=sloped))


def few_heads(heads: int, kv_heads: int | None, *, runs: int, sloped: bool) -> dict[str, int]:
    """Numbers of heads and key-value heads; grouped if they were.

    >>> few_heads(32, 8, runs=1, sloped=False)
    {'heads': 4, 'kv_heads': 2}
    >>> few_heads(12, None, runs=1, sloped=True)
    {'heads': 6}
    """
    odd = sloped and heads & (heads - 1) != 0
    if heads <= (6 if odd else 4):
        return {"heads": heads}
    if kv_heads is None or kv_heads == heads:
        few = 6 if odd else 4
        few = few if few % runs == 0 else 2 * runs
        return {"heads": few} if kv_heads is None else {"heads": few, "kv_heads": few}
    keys = min(kv_heads, 2)
    keys = keys if keys % runs == 0 else runs
    group = min(heads // kv_heads, 3 if odd else 2)
    if keys * group < 4 and heads // kv_heads >= 4:
        group = 6 if odd else 4
    return {"heads": keys * group, "kv_heads": keys}


def _moe(small: _Small, part: Moe, update: dict[str, Any]) -> dict[str, Any]:
    """Few experts: at least two per group, some chosen and some not."""
    groups = part.router.groups
    experts = min(part.experts, 8)
    top_k = part.top_k if experts == part.experts else min(part.top_k, 2)
    if groups is None:
        return {"experts": experts, "top_k": top_k}
    count = min(groups.count, 4)
    kept = count if groups.top_k == groups.count else min(groups.top_k, max(1, count // 2))
    members = min(part.experts // groups.count, 3 if count < 4 else 2)
    top_k = min(part.top_k, max(1, kept * members - 1), 3)
    fewer = groups.model_copy(update={"count": count, "top_k": kept})
    router = part.router.model_copy(update={"groups": fewer})
    return {"experts": count * members, "top_k": top_k, "router": router}


def _patches(small: _Small, part: Patches, update: dict[str, Any]) -> dict[str, Any]:
    """Three by three or three by four patches; unused pixels at the edge and overlaps are kept.

    A video has two patches of up to two frames, and an unused frame if it had some.
    """
    if max(part.sides) <= 32 and max(part.grid) <= 8:
        return {}
    patch, old = min(part.patch_size, 6), part.steps[-2:]
    steps = [patch if step == part.patch_size else max(1, patch // 2) for step in old]
    down, across = steps if isinstance(part.stride, tuple) else [steps[0]] * 2
    uneven = any(
        (side - part.patch_size) % step for side, step in zip(part.sides, old, strict=True)
    )
    rest = 2 if uneven and min(steps) > 2 else 0
    more = 2 if part.grid[-2] == part.grid[-1] else 3
    few = min(part.tubelet_size, 2)
    left = few > 1 and part.frames is not None and part.frames % part.tubelet_size > 0
    sides = patch + 2 * down + rest, patch + more * across + rest
    square = isinstance(part.image_size, int) and isinstance(part.stride, (int, type(None)))
    return {
        "patch_size": patch,
        "image_size": sides[0] if square else sides,
        "tubelet_size": few,
        "frames": None if part.frames is None else min(part.frames, 2 * few + left),
        "stride": None if part.stride is None else down if square else (down, across),
    }


def _stem(small: _Small, part: ConvStem, update: dict[str, Any]) -> dict[str, Any]:
    """Images of three by three or three by four tokens, with pixels that no kernel reads."""
    if part.axes == 1 or (max(part.sides) <= 32 and max(part.grid) <= 8):
        return {}
    rest = 1 if max(layer.stride for layer in part.layers) > 1 and not part.padded else 0
    more = 3 if part.grid[0] == part.grid[1] else 4
    sides = part.frames(3) + rest, part.frames(more) + rest
    return {"image_size": sides[0] if isinstance(part.image_size, int) else sides}


def _added(small: _Small, part: Features, update: dict[str, Any]) -> dict[str, Any]:
    """Smaller tables of added ids, different ones for different numbers of entries."""
    smaller = ranked(set(part.add.values()), 9, 4)
    return {"add": {name: smaller[count] for name, count in part.add.items()}} if part.add else {}


def _hidden_layers(small: _Small, part: ProjectionHead, update: dict[str, Any]) -> dict[str, Any]:
    """The widths of the hidden layers of a head."""
    smaller = ranked(set(part.hidden), 24, 8)
    return {"hidden": tuple(smaller[width] for width in part.hidden)} if part.hidden else {}


def _convolution(small: _Small, part: Convolution, update: dict[str, Any]) -> dict[str, Any]:
    """A kernel shorter than the sequences, even if it was even, with groups if it had some."""
    least = 4 + part.kernel % 2
    return {"kernel": min(part.kernel, least), "groups": min(part.groups, 2)}


def _rotary(small: _Small, part: Rotary, update: dict[str, Any]) -> dict[str, Any]:
    """Wavelengths reduced like the sequences, so that angles still differ."""
    return {"theta": round(part.theta**0.45, 2)} if part.theta >= 1000 else {}


def _temperature(small: _Small, part: Temperature, update: dict[str, Any]) -> dict[str, Any]:
    """Step lengths reduced like the sequences."""
    return {"length": min(part.length, 3)}


def _clipped(small: _Small, part: Mha, update: dict[str, Any]) -> dict[str, Any]:
    """A limit that small values reach."""
    return {} if isinstance(part.clip_qkv, str) else {"clip_qkv": min(part.clip_qkv, 0.8)}


def _clamped(small: _Small, part: Glu, update: dict[str, Any]) -> dict[str, Any]:
    return {} if isinstance(part.clamp, str) else {"clamp": min(part.clamp, 0.5)}


def _router(small: _Small, part: Router, update: dict[str, Any]) -> dict[str, Any]:
    """A jitter that includes more than one expert."""
    return {"jitter": max(part.jitter, 0.3)} if part.score == "sparsemixer" else {}


RULES: dict[type[Part], Callable[[_Small, Any, dict[str, Any]], dict[str, Any]]] = {
    SpecialTokens: _tokens,
    TokenPool: _tokens,
    StackInput: _tokens,
    Stack: _stack,
    Block: _block,
    Moe: _moe,
    Patches: _patches,
    ConvStem: _stem,
    Features: _added,
    ProjectionHead: _hidden_layers,
    Rotary: _rotary,
    Temperature: _temperature,
    Convolution: _convolution,
    Mha: _clipped,
    Glu: _clamped,
    Router: _router,
}


def _fitted(stack: Stack) -> Stack:
    """A stack whose LongRoPE has one divisor per remaining pair, taken from the original ones, and
    whose positions of a video divide the remaining features.
    """
    blocks = {}
    for name, block in stack.blocks.items():
        sublayers = tuple(
            part.model_copy(update={"positions": _fitted_positions(stack, one)})
            if getattr(part, "positions", None)
            else part
            for part, (_, one) in zip(block.sublayers, each_alone(block), strict=False)
        )
        positions = _fitted_positions(stack, block)
        blocks[name] = block.model_copy(update={"positions": positions, "sublayers": sublayers})
    inherited = [name for name, block in stack.blocks.items() if block.positions == stack.positions]
    positions = tuple(_sinusoids(stack, stack.positions))
    if inherited:
        positions = blocks[inherited[0]].positions
    return stack.model_copy(update={"blocks": blocks, "positions": positions})


def _fitted_positions(stack: Stack, block: Block) -> tuple[Any, ...]:
    positions = _sinusoids(stack, block.positions)
    for i, position in rotaries(block):
        width = turned(block, stack, position)
        if width is None:
            continue
        positions[i] = _fewer_features(position, int(width))
        if isinstance(position.scaling, LongRope):
            scaling = _fewer_divisors(position.scaling, int(width) // 2)
            positions[i] = position.model_copy(update={"scaling": scaling})
    return tuple(positions)


def _sinusoids(stack: Stack, positions: tuple[Any, ...]) -> list[Any]:
    """Positions, whose sinusoids have as many features as the vectors."""
    return [
        _fewer_features(one, stack.d_model) if isinstance(one, Sinusoidal) else one
        for one in positions
    ]


def _fewer_features(position: Any, width: int) -> Any:
    """Positions of a video whose axes have about the same shares of these features, in pairs."""
    widths = getattr(position, "widths", None)
    if widths is None or sum(widths) <= width:
        return position
    row, column = (max(2, one * width // sum(widths) // 2 * 2) for one in widths[1:])
    return position.model_copy(update={"widths": (width - row - column, row, column)})


def _fewer_divisors(scaling: LongRope, count: int) -> LongRope:
    update = {}
    for name in ("short_factor", "long_factor"):
        old = getattr(scaling, name)
        if len(old) > count > 0:
            step = (len(old) - 1) / max(count - 1, 1)
            update[name] = tuple(old[round(i * step)] for i in range(count))
    return scaling.model_copy(update=update)
