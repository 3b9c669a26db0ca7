"""Layers that differ: blocks, pattern and overrides."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from .covered import covered
from .errors import choices, shown
from .merge import Reading, merge
from .names import MAX_LENGTH
from .order import LayerOrder, LayerRule, Override, RuleRecorder
from .source import Node

MOST_LAYERS = 100_000
ENTRY = re.compile(r"(\w{1,64})(?:\s*\*\s*(\d{1,6}))?\Z")
LAYER = re.compile(r"(-?\d{1,6})(?:\.\.(-?\d{1,6}))?\Z")
MOST_BLOCKS = 256
_TOO_MANY_BLOCKS = f"a stack has at most {MOST_BLOCKS} different blocks"
ONLY_BLOCK = "block"  # name of the unnamed block of a stack


@dataclass
class Order:
    """The blocks of a stack, with levels merged, and the block of each layer.

    layers: the index in `blocks` of each layer's block, as bytes, so that an override of a range is
        one `bytes.translate`
    recorder: the pattern and the overrides
    """

    blocks: dict[str, Node]
    layers: bytearray
    recorder: RuleRecorder = field(default_factory=lambda: RuleRecorder(()))

    @property
    def names(self) -> list[str]:
        """The block name of each layer."""
        names = list(self.blocks)
        return [names[i] for i in self.layers]


@dataclass
class OrderNode(Node):
    """The list of block names of all layers, with the rule behind it."""

    rule: LayerRule | None = None

    def plain(self) -> Any:
        return LayerOrder.of(super().plain(), self.rule)


def layer_order(stack: Node, base: Node, reading: Reading) -> Order:
    """Fill `layers` with the pattern, then apply overrides. `base`: the stack's block keys."""
    layers = stack.get("layers")
    count = layers.value if layers and isinstance(layers.value, int) else 0
    count = count if 0 <= count <= MOST_LAYERS and not isinstance(count, bool) else 0
    reading.layers += count
    if layers is not None and reading.layers > MOST_LAYERS:
        reading.stop(layers, f"a model has at most {MOST_LAYERS:,} layers in all its stacks")
    blocks = _named(stack, base, reading)
    cycle = _cycle(stack, blocks, reading)
    if not cycle and _is_zero(layers) and base.get("attention") is None:
        return Order(blocks, bytearray())  # without layers, required keys of blocks may be missing
    if not cycle:
        blocks = {**blocks, ONLY_BLOCK: blocks.get(ONLY_BLOCK, base)}
        cycle = [ONLY_BLOCK]
    if len(blocks) > MOST_BLOCKS:
        reading.stop(stack, _TOO_MANY_BLOCKS)
    index = {name: i for i, name in enumerate(blocks)}
    once = bytearray(index[name] for name in cycle[:count])
    repeated = (once * (count // len(cycle) + 1))[:count]
    order = Order(blocks, bytearray(repeated), RuleRecorder(cycle))
    applied = list(zip(_override(stack, order, reading), order.recorder.overrides, strict=True))
    final, idle = covered(bytes(repeated), applied, index)
    reading.covered |= {id(node.at): node for node in idle}
    reading.named.update({id(node.at) for node, _ in applied} - {id(node.at) for node in idle})
    used = {list(index)[i] for i in set(final)}.union(cycle[count:])
    _record_named(stack, order.recorder, used, reading)
    return order


def _record_named(stack: Node, rule: RuleRecorder, used: set[str], reading: Reading) -> None:
    """Record which of the blocks of a stack its pattern or its overrides name, and a layer has.

    used: the blocks that layers start from, and those of the pattern beyond the last layer
    """
    named, by = stack.get("blocks"), stack.get("pattern") or stack.get("overrides")
    used = used.union(override.block for override in rule.overrides)
    for name, node in named.items() if named is not None else ():
        if name in used:
            reading.named.add(id(node.at))
        elif by is not None:
            reading.unnamed[id(node.at)] = (name, node, by, name in rule.pattern)


def _is_zero(node: Node | None) -> bool:
    """Whether the value is a plain 0."""
    return node is not None and type(node.value) in (int, float) and node.value == 0


def _named(stack: Node, base: Node, reading: Reading) -> dict[str, Node]:
    named = stack.get("blocks")
    if named is None:
        return {}
    if not isinstance(named.value, dict):
        reading.wrong(named, "`blocks` must be a mapping from names to blocks")
        return {}
    if len(named.value) > MOST_BLOCKS:
        reading.problem(named, _TOO_MANY_BLOCKS)
        return {}
    blocks: dict[str, Node] = {}
    for name, node in named.items():
        if isinstance(node.value, dict):
            blocks[name] = merge("block", base, node, reading)
        else:
            reading.wrong(node, f"a block must be a mapping, not {shown(node.value)}")
            blocks[name] = base
    return blocks


def _cycle(stack: Node, blocks: dict[str, Node], reading: Reading) -> list[str]:
    pattern, named = stack.get("pattern"), stack.get("blocks")
    if pattern is None:
        if blocks and named is not None and stack.get("overrides") is None:
            reading.problem(
                named, "`blocks` needs a `pattern`, which gives the order of the layers"
            )
        return []
    entries = pattern.value if isinstance(pattern.value, list) else None
    if not entries:
        reading.wrong(pattern, "`pattern` must be a list of blocks, such as `[local * 5, global]`")
        return []
    cycle: list[str] = []
    for entry in entries:
        match = ENTRY.match(entry.value) if isinstance(entry.value, str) else None
        if match is None:
            reading.wrong(
                entry,
                f"an entry of `pattern` must be `name` or `name * n`, not {shown(entry.value)}",
            )
        elif match[1] not in blocks:
            reading.wrong(entry, _no_block(match[1], blocks))
        elif not 1 <= int(match[2] or 1) <= MOST_LAYERS - len(cycle):
            reading.wrong(entry, f"a pattern must have 1 to {MOST_LAYERS:,} layers")
            break
        else:
            cycle += [match[1]] * int(match[2] or 1)
    return cycle


def _no_block(name: str, blocks: dict[str, Node]) -> str:
    if not blocks:
        return f"unknown block `{name}`; define it in `blocks`"
    return f"unknown block `{name}`; {choices(name, list(blocks))}"


def _override(stack: Node, order: Order, reading: Reading) -> list[Node]:
    """Apply the overrides. Returns those that are legal, as the recorder has them."""
    overrides, applied = stack.get("overrides"), list[Node]()
    if overrides is None:
        return applied
    if not isinstance(overrides.value, dict):
        reading.wrong(overrides, "`overrides` must be a mapping from layers to blocks")
        return applied
    for key, what in overrides.items():
        ends = _ends(key, what, reading)
        layers = Override(*ends).range(len(order.layers))
        ordered = LAYER.match(key) and not _is_empty(ends)
        if not layers and order.layers and ordered:
            _report_beyond(stack, key, what, len(order.layers), reading)
        if isinstance(what.value, str):
            if what.value not in order.blocks:
                reading.wrong(what, _no_block(what.value, order.blocks))
                continue
            index = list(order.blocks).index(what.value)
            order.layers[layers.start : layers.stop] = bytes([index]) * len(layers)
            order.recorder.named(*ends, what.value)
            applied.append(what)
        elif isinstance(what.value, dict):
            order.recorder.changed(*ends, _change(order, layers, what, reading))
            applied.append(what)
        else:
            reading.wrong(what, "an override must be the name of a block or a mapping")
    return applied


def _ends(key: str, what: Node, reading: Reading) -> tuple[int, int]:
    """The first and last layer of an override key, as written."""
    match = LAYER.match(key)
    if match is None:
        reading.problem(
            what, f"a layer must be written as `0`, `-1` or a range `0..2`, not `{key}`"
        )
        return 1, 0
    first, last = int(match[1]), int(match[2] or match[1])
    if _is_empty((first, last)):
        reading.problem(what, f"the range `{key}` is empty: {last} is before {first}")
    return first, last


def _is_empty(ends: tuple[int, int]) -> bool:
    """Whether a range ends before it begins, whatever the number of layers."""
    first, last = ends
    return (first < 0) == (last < 0) and last < first


def _report_beyond(stack: Node, key: str, what: Node, count: int, reading: Reading) -> None:
    """Report an override of layers that the stack does not have.

    A warning where `--set` chose the number of layers or the override is that of another file.
    """
    text = f"the override `{key}` matches none of the {count} layers"
    layers = stack.get("layers")
    is_set = layers is not None and layers.mark.why == "--set"
    if is_set or what.at.file not in (reading.document, "--set"):
        reading.warn(what.at, text)
    else:
        reading.problem(what, f"{text}, so it has no effect; remove it")


def _change(order: Order, layers: range, what: Node, reading: Reading) -> dict[str, str]:
    """Merge an override into the blocks of these layers. Returns block -> new block.

    Each of these blocks is copied; the copy is named after its first layer here.
    """
    part = order.layers[layers.start : layers.stop]
    names, table = list(order.blocks), bytearray(range(256))
    becomes: dict[str, str] = {}
    for i in sorted((i for i in range(len(names)) if i in part), key=part.find):
        if len(order.blocks) >= MOST_BLOCKS:
            reading.stop(what, _TOO_MANY_BLOCKS)
        name = _fresh_name(names[i], layers.start + part.find(i), order.blocks)
        table[i] = len(order.blocks)
        order.blocks[name] = merge("block", order.blocks[names[i]], what, reading)
        becomes[names[i]] = name
    order.layers[layers.start : layers.stop] = part.translate(table)
    return becomes


def _fresh_name(old: str, layer: int, blocks: dict[str, Node]) -> str:
    """An unused name for the block of a layer: `local_layer_3`, then `…_3x`, `…_3x2`."""
    plain = re.sub(r"_layer_\d+(x\d*)?\Z", "", old)  # an override of an override
    wanted = f"{plain[: MAX_LENGTH - 20]}_layer_{layer}"
    endings = ("", "x", *(f"x{n}" for n in range(2, len(blocks) + 2)))
    return next(wanted + ending for ending in endings if wanted + ending not in blocks)
