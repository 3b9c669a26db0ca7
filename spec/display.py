"""The resolved spec as YAML: all values and defaults, and where each comes from.

The output is a spec itself. `compiler.display` finds the options that would be errors if they were
written, since nothing uses them; they are comments here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import PurePath
from typing import Any, NamedTuple

from .branch import Branch
from .errors import Mark
from .locate import locate
from .masks import Mask
from .model import Block, ModelSpec, Stack
from .order import LayerOrder
from .part import Part, options_of
from .source import Node

Path = tuple[str | int, ...]
COLUMN = 44  # column of the origins
DERIVED = {  # options without a fixed default -> how it is derived
    "kv_heads": "heads",
    "head_dim": "d_model / heads",
    "value_dim": "head_dim",
    "scale": "1 / sqrt(head_dim)",
    "width": "d_model",
}
DERIVED_OF_TYPE = {  # (type, option) -> the same, where it differs from `DERIVED`
    ("mla", "scale"): "1 / sqrt(nope_dim + rope_dim)",
    ("differential", "head_dim"): "d_model / (2 * heads)",
    ("collaborative", "value_dim"): "d_model / heads",
    ("collaborative", "scale"): "1 / sqrt(key_dim / heads)",
    ("path", "width"): "heads",
    ("dense", "width"): "none",
}
LAST = ("norm", "norm_placement", "residual", "stream", "axis")  # keys that all branches have
ORDINARY = ("attention", "cross_attention", "feed_forward")  # keys that `sublayers` replaces
PLAIN = re.compile(r"[A-Za-z_~(][\w .*/&|~(),:+-]*\Z")


@cache
def derived(cls: type[Part], key: str) -> str:
    """How an option is derived if it is not set, or `not set`."""
    word = cls.model_fields["type"].default if "type" in cls.model_fields else ""
    return DERIVED_OF_TYPE.get((word, key)) or DERIVED.get(key, "not set")


class Line(NamedTuple):
    """A line of the resolved spec.

    path: that of the value whose key stands on it; None for a comment
    """

    text: str
    path: Path | None = None

    @property
    def is_comment(self) -> bool:
        return self.text.lstrip().startswith("#")


def shown_lines(
    spec: ModelSpec, unused: Collection[Path] = (), *, origins: bool = True
) -> list[Line]:
    """The lines of a spec as YAML with all values and defaults.

    unused: paths of the options to print as comments, with aliases in place of field names; the
        path of a `type` means the whole component
    origins: add a comment with the origin of each value
    """
    return list(_Printer(spec, frozenset(unused), origins=origins).lines())


def plain_path(path: Path) -> Path:
    """A path with the keys of YAML in place of the names of fields (`from` for `from_`)."""
    return tuple(k.removesuffix("_") if isinstance(k, str) else k for k in path)


class _Printer:
    """Walks over the parts of a spec and the tree with their origins."""

    def __init__(self, spec: ModelSpec, unused: frozenset[Path], *, origins: bool) -> None:
        self.spec, self.unused = spec, unused
        self.tree = spec._tree if origins else None
        self.inherited: set[Path] = set()

    def lines(self) -> Iterator[Line]:
        spec = self.spec
        if spec.family is not None:
            yield self.line("", ("family",), spec.family)
        yield from self.keys(spec, (), 0, skip=("family", "stacks", "heads"))
        nested = spec.family is None
        if nested:
            yield Line("stacks:", ("stacks",))
        for name, stack in spec.stacks.items():
            yield Line(f"  {name}:" if nested else f"{name}:", ("stacks", name))
            yield from self.stack(stack, ("stacks", name))
        if spec.heads:
            yield Line("heads:", ("heads",))
            for name, head in spec.heads.items():
                yield from self.entry(name, head, ("heads", name), 1)

    def stack(self, stack: Stack, path: Path) -> Iterator[Line]:
        skip = ("blocks", "order", "input" if stack.streams else "streams")
        yield from self.keys(stack, path, 2, skip=skip)
        if not stack.order:
            return
        order, overrides = written_rule(stack.order)
        yield Line(f"    pattern: [{', '.join(pattern(order))}]", (*path, "pattern"))
        if overrides:
            place = (*path, "overrides")
            yield Line("    overrides:", place)
            yield from (Line(f"      {at}: {name}", (*place, at)) for at, name in overrides)
        yield Line("    blocks:", (*path, "blocks"))
        used = set(stack.order)
        for name, block in stack.blocks.items():
            if name not in used:
                continue
            hide = ORDINARY if block.sublayers else ("sublayers",)
            place = (*path, "blocks", name)
            yield Line(f"      {name}:", place)
            self.inherited |= set(_inherited(block, place, stack.positions))
            yield from self.keys(block, place, 4, skip=hide)

    def keys(
        self, part: Part, path: Path, depth: int, skip: tuple[str, ...] = ()
    ) -> Iterator[Line]:
        fields = type(part).model_fields
        for name in sorted(fields, key=lambda n: n in LAST and isinstance(part, Branch)):
            key = fields[name].alias or name
            if name not in skip and name != "type" and (*path, key) not in self.inherited:
                unset = derived(type(part), key)
                yield from self.entry(key, getattr(part, name), (*path, key), depth, unset)

    def entry(
        self, key: str, value: Any, path: Path, depth: int, unset: str = "not set"
    ) -> Iterator[Line]:
        pad = "  " * depth
        if self.is_unused(path):
            yield Line(f"{pad}# {key}: no effect here")
        elif isinstance(value, Part):
            yield from self.part(key, value, path, depth)
        elif isinstance(value, dict) and value:
            yield Line(f"{pad}{key}:", path)
            for name, inner in value.items():
                yield from self.entry(name, inner, (*path, name), depth + 1)
        elif isinstance(value, tuple) and any(isinstance(v, (Part, Mask)) for v in value):
            items = [(inner, (*path, index)) for index, inner in enumerate(value)]
            used = [item for item in items if not self.is_unused(item[1])]
            yield Line(f"{pad}{key}:", path) if used else Line(f"{pad}# {key}: no effect here")
            for inner, place in used:
                yield from self.item(inner, place, depth + 1)
        elif value is None:
            yield Line(f"{pad}# {key}: {unset}")
        else:
            text = "none" if key == "positions" and value == () else scalar(value)
            yield self.line(pad, path, text)

    def part(self, key: str, value: Part, path: Path, depth: int) -> Iterator[Line]:
        pad = "  " * depth
        word = getattr(value, "type", None)
        others = [name for name in options_of(type(value)) if name != "type"]
        if word is not None and not others:
            yield self.line(pad, path, scalar(word), (*path, "type"))
            return
        inside = list(self.inside(value, path, depth + 1))
        empty = word is None and all(line.is_comment for line in inside)
        yield Line(f"{pad}{key}: {{}}" if empty else f"{pad}{key}:", path)
        if not empty or self.unused:
            yield from inside

    def inside(self, value: Part, path: Path, depth: int) -> Iterator[Line]:
        """The lines of a part without its key: type, then options."""
        word = getattr(value, "type", None)
        if word is not None:
            yield self.line("  " * depth, (*path, "type"), scalar(word))
        yield from self.keys(value, path, depth)

    def item(self, value: Any, path: Path, depth: int) -> Iterator[Line]:
        pad = "  " * depth
        if not isinstance(value, Part):
            yield Line(f"{pad}- {scalar(value)}", path)
            return
        first, *rest = self.inside(value, path, depth + 1)
        yield Line(f"{pad}- {first.text[len(pad) + 2 :]}", first.path)
        yield from rest

    def is_unused(self, path: Path) -> bool:
        plain = plain_path(path)
        return plain in self.unused or (*plain, "type") in self.unused

    def line(self, pad: str, path: Path, text: str, origin: Path = ()) -> Line:
        """The line of a value, and where it, or the value at the path `origin`, comes from."""
        line = f"{pad}{path[-1]}: {text}"
        if self.tree is None or not (words := origin_in(self.tree, self.spec, origin or path)):
            return Line(line, path)
        return Line(f"{line:<{COLUMN}} # {words}", path)


def _inherited(block: Block, path: Path, positions: tuple[Part, ...]) -> Iterator[Path]:
    """The paths of positions that a block with `sublayers` and these inherit from the stack.

    Written once more, they would be errors where the attention cannot use them.
    """
    if block.sublayers and block.positions == positions:
        yield (*path, "positions")
    for index, one in enumerate(block.sublayers):
        if getattr(one, "positions", None) == block.positions:
            yield (*path, "sublayers", index, "positions")


def origin(spec: ModelSpec, path: Path) -> str:
    """Origin of the value at a path: `gpt2.yaml:12`, `default` …; "" if no text was read."""
    tree = spec._tree
    return "" if tree is None else origin_in(tree, spec, path)


def origin_in(tree: Node, spec: ModelSpec, path: Path) -> str:
    """The same, for a spec that was read into this tree."""
    place = locate(tree, path)
    return _words(place.node.mark, spec) if place.found else "default"


def _words(mark: Mark, spec: ModelSpec) -> str:
    if mark.why == "default":
        return "default"
    if mark.why == "family":
        return f"family {spec.family}"
    if mark.why == "--set":
        return f"--set {mark.text}"
    return f"{PurePath(mark.file).name}:{mark.line}" if mark.line else ""


def scalar(value: Any) -> str:
    """A plain value as YAML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(scalar(v) for v in value)}]"
    if isinstance(value, dict):
        return "{}"
    text = str(value)
    if isinstance(value, str):
        loose = text in ("true", "false", "null", "~") or text.endswith((":", " "))
        return text if PLAIN.match(text) and not loose and ": " not in text else json.dumps(text)
    return text


def written_rule(order: tuple[str, ...]) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
    """The names of a pattern, and overrides as pairs of layers and a name, as in the spec.

    Where names cannot say it, since an override changes several blocks or no layer has a block of
    the pattern, the pattern names the block of each layer.
    """
    rule = order.rule if isinstance(order, LayerOrder) else None
    found: list[tuple[str, str]] = []
    for one in rule.overrides if rule is not None else ():
        names = {name for _, name in one.becomes} or {one.block}
        layers = str(one.first) if one.first == one.last else f"{one.first}..{one.last}"
        found.append((layers, names.pop() if len(names) == 1 else ""))
    named = {*rule.pattern, *(name for _, name in found)} if rule is not None else set()
    if rule is None or not named <= {*order} or len(dict(found)) < len(found):
        return order, []
    return rule.pattern, found


def pattern(order: tuple[str, ...]) -> list[str]:
    """The shortest repeating pattern of this order, as `name * n`; empty without layers."""
    runs: list[tuple[str, int]] = []
    for name in order[: _period(order)]:
        if runs and runs[-1][0] == name:
            runs[-1] = (name, runs[-1][1] + 1)
        else:
            runs.append((name, 1))
    return [f"{name} * {count}" if count > 1 else name for name, count in runs]


def _period(order: tuple[str, ...]) -> int:
    """The smallest n > 0 with order[i] == order[i + n] for all i; 0 for an empty order.

    It is the length minus that of the longest proper prefix that is also a suffix, found in linear
    time with the prefix function of Knuth, Morris and Pratt (1977).
    """
    prefix = [0] * len(order)
    length = 0
    for i in range(1, len(order)):
        while length and order[i] != order[length]:
            length = prefix[length - 1]
        length += order[i] == order[length]
        prefix[i] = length
    return len(order) - length
