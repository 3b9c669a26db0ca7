"""Refuse what a spec sets and lowering does not use.

A value counts as used when lowering reads it at one of the places that it was written for:
`dropout` of the model is used as soon as one block drops something. These are not reported:

- values that equal what holds without them, and those that switch off what is not there, but for
  `bias: false`, which looks like a choice
- options that inner levels inherit, such as `norm`, where they repeat the value of an outer level
  or one that is used at an inner level
- the mask that the family gives a stack
- what blocks would use, in a stack of 0 layers

`cut.py` adds the blocks that the number of layers leaves out: what they use is not reported either.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from pydantic_core import PydanticUndefined

from ...spec.errors import Mark, SpecError, SpecErrors, shown
from ...spec.levels import DEFAULTS, WORDS
from ...spec.locate import locate
from ...spec.model import BLOCK_KEYS, ModelSpec, Stack
from ...spec.norm import LayerNorm
from ...spec.part import CONTAINERS, Nothing, Part, options_of
from ...spec.residual import Parallel
from ...spec.source import Node
from ...spec.surface import FAMILIES
from ..sizes import IndivisibleError
from .builder import RefusedError
from .reads import USED, Path

SETTLED = {"name", "description", "family", "modelwright", "order"}
"""Options that change no op: names, texts, and those that are settled before lowering."""

NOTHING = {
    "final_norm": (False,),
    "hidden_bias": (False,),
    "dropout": (0,),
    "hidden_dropout": (0,),
}
"""Option -> the values that say that something is not there. So does the type `none`."""

OF_MODEL = ("vocab_size", "max_positions")
"""Options that a model gives to all of its stacks, whether or not each one uses them."""

OF_STACK = ("mask", "positions", "norm_placement")
"""Options that a stack gives to all of its blocks."""

INHERITED = frozenset((*WORDS, *OF_MODEL, "condition"))

AFFINE = "it needs `affine: true`"
BEFORE = "no positions are added to this input; write `normalize: true`"
PARALLEL = "`parallel` needs at least two branches"
UNREAD = "it needs a stack that reads token ids"

WHY_EXACTLY = {
    ("features", "bias"): "only a `size` that differs from d_model is projected",
    ("layernorm", "bias"): AFFINE,
    ("layernorm", "weight_offset"): AFFINE,
    ("rmsnorm", "weight_offset"): AFFINE,
    ("parallel", "type"): PARALLEL,
    ("normal", "depth_scaled"): "it needs a layer with a residual branch",
    ("tokens", "pad"): UNREAD,
    ("tokens", "bos"): UNREAD,
    ("tokens", "eos"): UNREAD,
    ("tokens", "decoder_start"): "it applies only to encoder-decoder models that read token ids",
    ("router", "normalize"): "`score: sparsemixer` does not normalise its weights",
    ("linear", "map_values"): "`feature_map: identity` leaves the values unchanged",
}
"""Type of a part, or its key where it has none, and option -> why nothing uses it."""

WHY = {
    **dict.fromkeys(
        (
            "final_norm",
            "inner_norm",
            "output_norm",
            "pooled_norm",
            "hidden_norm",
            "normalize",
            "norm_placement",
            "qk_norm",
        ),
        "the `norm` here is `none`",
    ),
    "from": "the input is not normalised here",
    "condition": "it modulates norms and branches, and no layer here has any",
    "norm": "no layer here uses it",
    "activation": "no layer here uses it",
    "dropout": "no dropout is applied here",
    "bias": "no layer here has a bias to choose",
    "mask": "no attention layer here uses it",
    "positions": "no attention layer here uses them",
}
"""Option -> why nothing uses it."""


class Option(NamedTuple):
    """A value of the spec.

    part: the type of the mapping that it stands in, or ""
    used: lowering reads it
    usual: it equals what holds when it is left out
    holder: the mapping that it stands in
    inside: lowering reads something of this mapping
    """

    path: Path
    value: Any
    part: str
    used: bool
    usual: bool
    holder: Part | None = None
    inside: bool = True


class Found(NamedTuple):
    """The options of a spec, and those of them that nothing uses."""

    options: list[Option]
    unused: list[Option]


def options_of_spec(spec: ModelSpec, reads: set[Path]) -> Found:
    """What `unused_options` and `unused_values` read.

    reads: the paths of all options that lowering read
    """
    options = Options(spec, reads).found
    return Found(options, _without_effect(spec, options))


def unused_options(spec: ModelSpec, among: Found) -> list[SpecError]:
    """A located error for each value that is set and not used."""
    tree = spec._tree
    options, unused = among
    written = [(option, mark) for option in unused if (mark := _mark(tree, option)) is not None]
    used_marks = {_mark(tree, option) for option in options if option.used} if written else set()
    found: dict[Mark, SpecError] = {}
    refused: list[Path] = []
    for option, mark in written:
        if mark.line and mark in used_marks:
            continue
        if any(option.path[: len(path)] == path for path in refused):
            continue
        if option.path[-1] == "type":
            refused.append(option.path[:-1])
        found.setdefault(mark, SpecError(mark, _message(option)))
    return list(found.values())


def unused_values(spec: ModelSpec, among: Found) -> list[Option]:
    """The options that would be errors if every value and default of the spec were written."""
    options, more = among
    found: list[Option] = []
    while more:
        found += more
        omitted = {option.path for option in more}
        options = [option for option in options if option.path not in omitted]
        more = _without_effect(spec, options)  # inner levels no longer repeat these
    return found


def _without_effect(spec: ModelSpec, options: list[Option]) -> list[Option]:
    levels = Levels.of(options)
    return [
        option
        for option in options
        if not option.used
        and not (_says_nothing(option) and not levels.overrule(option))
        and not levels.excuse(option)
        and not _of_family(spec, option)
        and not _without_layers(spec, option)
    ]


def located(spec: ModelSpec, error: IndivisibleError | RefusedError) -> SpecErrors:
    """The error at its path; at the divisor, or at the dividend where that is a plain number."""
    if isinstance(error, RefusedError):
        paths = [error.path]
    else:
        fields = [*error.divisor.fields(), *error.dividend.fields()]
        paths = [(*field.origin, field.key) for field in fields]
    mark = Mark(spec.source_name or spec.name, 0, 0)
    if paths:
        mark = spec.nearest_mark(paths[0]) or mark
    return SpecErrors([SpecError(mark, str(error))])


class Options:
    """Every plain value of a spec; `type` first where a part has one."""

    def __init__(self, spec: ModelSpec, reads: set[Path]) -> None:
        self.reads = reads
        self.inside = {path[:-1] for path in reads if path and path[-1] != "type"}
        self.found: list[Option] = []
        self._inside(spec, ())

    def _inside(self, value: Any, path: Path) -> None:
        if isinstance(value, Part):
            cls = type(value)
            kind = str(getattr(value, "type", ""))
            defaults = _defaults(cls)
            if isinstance(value, Stack) and isinstance(value.norm, Nothing):
                defaults = {**defaults, "final_norm": False}
            if isinstance(value, LayerNorm) and not value.affine:
                defaults = {**defaults, "bias": False}
            inside = self._is_used(value, path)
            for name, default in defaults.items():
                if path or name not in SETTLED:
                    self._add((*path, name), getattr(value, name), default, kind, value, inside)
            return
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            self._add((*path, key), inner, PydanticUndefined, "")

    def _add(
        self,
        path: Path,
        value: Any,
        default: Any,
        kind: str,
        holder: Part | None = None,
        inside: bool = True,
    ) -> None:
        if isinstance(value, Part):
            type_of = str(getattr(value, "type", ""))
            if type_of:
                used = self._is_used(value, path)
                usual = type_of == getattr(default, "type", "")
                self.found.append(Option((*path, "type"), type_of, type_of, used, usual))
            self._inside(value, path)
        elif isinstance(value, CONTAINERS) and _has_parts(value):
            self._inside(value, path)
        else:
            used, usual = path in self.reads, bool(value == default)
            self.found.append(Option(path, value, kind, used, usual, holder, inside))

    def _is_used(self, part: Part, path: Path) -> bool:
        """A part is used when one of its options is, or, without options, when it is looked at."""
        if isinstance(part, Parallel):
            return not self.reads.isdisjoint(((*path, USED), (*path, "type")))
        if path in self.inside:
            return True
        if any(name != "type" for name in options_of(type(part))):
            return False
        listed = isinstance(path[-1], int)
        return not listed and path in self.reads


@cache
def _defaults(cls: type[Part]) -> dict[str, Any]:
    """The options of a part and what they are when they are left out."""
    skipped = ("order", "type")
    return {n: field.default for n, field in cls.model_fields.items() if n not in skipped}


def _has_parts(value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value
    return any(isinstance(one, Part) for one in inner)


def _says_nothing(option: Option) -> bool:
    """Whether the option switches off what is not there."""
    if option.path[-1] == "type":
        return bool(option.value == "none")
    found = NOTHING.get(str(option.path[-1]), ()) if option.inside else ()
    return any(option.value == one and type(option.value) is type(one) for one in found)


def _mark(tree: Node | None, option: Option) -> Mark | None:
    """Where the value was written; None for defaults and values of the family."""
    if tree is None:
        return Mark(".".join(map(str, option.path)), 0, 0)
    place = locate(tree, option.path)
    if not place.found:
        return None
    mark = place.node.mark
    return None if mark.why in ("default", "family") else mark


Key = tuple[str, Path, str]
"""Of an inherited option: its name, the path inside it, and the value."""


@dataclass(frozen=True)
class Levels:
    """The values of inherited options: at which levels they are written, and where they are used.

    written: option and path inside it -> level -> value
    """

    written: dict[tuple[str, Path], dict[Path, str]]
    used: dict[Key, list[Path]]

    @classmethod
    def of(cls, options: list[Option]) -> Levels:
        levels = cls({}, {})
        for option in options:
            if (split := _split(option)) is not None:
                level, key = split
                levels.written.setdefault(key[:2], {})[level] = key[2]
                if option.used:
                    levels.used.setdefault(key, []).append(level)
        return levels

    def excuse(self, option: Option) -> bool:
        """Whether it repeats a default, or a value that is used at an inner level."""
        split = _split(option)
        if split is None:
            return option.usual
        level, key = split
        if level[0] == "heads":  # they inherit from the model, as stacks do
            return option.usual or _is_default(option) or self._is_of_a_stack(key)
        used = self.used.get(key, ())
        if any(_is_inside(other, level) for other in used):
            return True
        if key[0] in OF_MODEL and used:
            return True
        if key[0] in OF_STACK and len(level) == 4:
            return option.usual or any(other[:2] == level[:2] for other in used)
        if key[0] == "positions":
            return option.usual and not self._differs(key, level[:2])
        written = self.written[key[:2]]
        outer = [other for other in written if _is_inside(level, other)]
        if outer:
            return written[max(outer, key=len)] == key[2]
        return option.usual or _is_default(option)

    def overrule(self, option: Option) -> bool:
        """Whether inner levels use another value."""
        split = _split(option)
        if split is None:
            return False
        level, key = split
        return any(
            other != key and other[:2] == key[:2] and any(_is_inside(at, level) for at in levels)
            for other, levels in self.used.items()
        )

    def _is_of_a_stack(self, key: Key) -> bool:
        """Whether a stack has this value too."""
        written = self.written[key[:2]].items()
        return any(
            value == key[2] for level, value in written if level[0] == "stacks" and len(level) == 2
        )

    def _differs(self, key: Key, stack: Path) -> bool:
        """Whether another value of the option is used in this stack."""
        return any(
            other != key and other[:2] == key[:2] and any(level[:2] == stack for level in levels)
            for other, levels in self.used.items()
        )


def _split(option: Option) -> tuple[Path, Key] | None:
    """The level of an inherited option and its key; None for an option that nobody inherits."""
    path = option.path
    if INHERITED.isdisjoint(path):  # most
        return None
    for index, name in enumerate(path):
        if index > 1 and name in INHERITED:
            return path[:index], (str(name), path[index + 1 :], repr(option.value))
    return None


def _is_inside(level: Path, outer: Path) -> bool:
    return len(outer) < len(level) and level[: len(outer)] == outer


def _is_default(option: Option) -> bool:
    """Whether it is the type that the language gives an inherited option."""
    return option.path[-1] == "type" and option.value == DEFAULTS.get(str(option.path[-2]))


def _of_family(spec: ModelSpec, option: Option) -> bool:
    stacks = FAMILIES.get(spec.family or "", {})
    given = stacks.get(str(option.path[1]) if len(option.path) > 1 else "", {})
    return option.path[-1] == "mask" and str(option.value) == given.get("mask")


def _without_layers(spec: ModelSpec, option: Option) -> bool:
    """Whether it is for the blocks of a stack that has none."""
    if option.path == ("init", "depth_scaled"):
        return not all(stack.order for stack in spec.stacks.values())
    if option.path[0] != "stacks" or spec.stacks[str(option.path[1])].order:
        return False
    return option.path[2] in (*BLOCK_KEYS, "layers", "blocks")


def _message(option: Option) -> str:
    """What has no effect, why, and what to do."""
    names = [str(name).removesuffix("_") for name in option.path if isinstance(name, str)]
    why = WHY_EXACTLY.get((option.part or names[-2], names[-1]))
    if names[-1] == "type":
        names.pop()
    text = f"`{names[-1]}: {shown(option.value).strip('`')}` has no effect"
    unnormed = isinstance(getattr(option.holder, "norm", None), Nothing)
    if option.value == "before_positions" and names[-1] == "normalize" and not unnormed:
        return f"{text}: {BEFORE}"
    inherited = next((name for name in reversed(names) if name in WHY), "")
    if "router" in names or ("positions" in names and names[-1] not in WHY):
        inherited = ""
    return f"{text}: {why or WHY.get(inherited, 'nothing uses it')}; remove it"
