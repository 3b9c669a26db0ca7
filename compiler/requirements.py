"""Relations between sizes that the ops of a graph require, such as `kv_heads` divides `heads`.

The language checks a spec before lowering. The `Config` of an emitted file accepts other sizes
later and must check them too; these relations follow from the ops alone. Only sizes are checked,
not rates or the factors of rotary frequencies.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

from ..records import record
from .axes import Dim
from .graph import ModuleGraph, Op
from .sizes import Field, InverseRoot, Size, Term, code_of, fields_of, value_of


@record(frozen=True)
class Requirement:
    """A relation that must hold between two numbers.

    sign: "%": `left` is a multiple of `right`; "odd": `left` is odd; others as in Python
    """

    left: Term
    sign: str
    right: Term

    @property
    def holds(self) -> bool:
        """Whether the numbers of the spec satisfy it."""
        left, right = value_of(self.left), value_of(self.right)
        if self.sign in ("%", "odd"):
            return bool(left % right == (self.sign == "odd"))
        compare = {"<=": operator.le, ">=": operator.ge, ">": operator.gt, "==": operator.eq}
        return bool(compare[self.sign](left, right))

    @cached_property
    def key(self) -> tuple[str, str, str]:
        """The relation as text; equal relations have equal keys."""
        return code_of(self.left), self.sign, code_of(self.right)

    def fields(self) -> list[Field]:
        return fields_of(self.left) + fields_of(self.right)


Rows = Callable[[ModuleGraph, Op], Iterator[Requirement]]
PLAIN = {str, int, float, bool, type(None)}
"""Values of attributes that contain no sizes."""


def requirements(graph: ModuleGraph) -> list[Requirement]:
    """The relations between Config fields that the ops of a graph require, without duplicates."""
    found: dict[Any, Requirement] = {}
    seen: set[int] = set()  # sizes of ops before
    of_ops = (
        one
        for op in graph.ops()
        for one in (*_exact_quotients(graph, op, seen), *ROWS.get(op.kind, _nothing)(graph, op))
    )
    for one in map(_without_division, (*of_ops, *_equal_layers(graph))):
        if one.fields():
            found.setdefault(one.key, one)
    several = list(found.values())
    return [one for one in several if not any(_follows(one, other) for other in several)]


def _nothing(graph: ModuleGraph, op: Op) -> Iterator[Requirement]:
    return iter(())


def _tree(value: Any) -> Term:
    """The term of a size, an axis, a field or a number."""
    value = value.size if isinstance(value, Dim) else value
    term: Term = value.tree if isinstance(value, Size) else value
    return term


def _multiple(left: Any, right: Any) -> Requirement:
    return Requirement(_tree(left), "%", _tree(right))


def _at_most(left: Any, right: Any) -> Requirement:
    return Requirement(_tree(left), "<=", _tree(right))


def _above(left: Any, right: Any) -> Requirement:
    return Requirement(_tree(left), ">", _tree(right))


# -- divisions


def _exact_quotients(graph: ModuleGraph, op: Op, seen: set[int]) -> Iterator[Requirement]:
    """Exact quotients among the sizes of an op, such as d_model // heads.

    seen: the ids of axes and sizes that were looked at; ops share most of theirs
    """
    shapes = [graph.values[value].shape for value in op.outputs]
    weights = [weight.shape for weight in op.weights]
    waiting: list[Any] = [*reversed([*op.attrs.values(), *shapes, *weights])]
    while waiting:
        value = waiting.pop()
        kind = type(value)
        if kind in PLAIN:
            continue
        if kind is Dim or kind is Size:
            if id(value) in seen:
                continue
            seen.add(id(value))
            if kind is Dim:
                waiting += (*reversed(value.parts), value.size)
            else:
                yield from _quotients(value.tree)
        elif kind is InverseRoot:
            yield from _quotients(Size.of(value.width).tree)
        elif isinstance(value, dict):
            waiting += reversed(value.values())
        elif isinstance(value, (tuple, list)):
            waiting += reversed(value)


def _quotients(tree: Term) -> Iterator[Requirement]:
    if not isinstance(tree, tuple):
        return
    for part in tree[1:]:
        yield from _quotients(part)
    if tree[0] == "//":
        yield Requirement(tree[1], "%", tree[2])


def _without_division(one: Requirement) -> Requirement:
    """Rewrite `d_model // heads % 2 == 0` as `d_model % (2 * heads) == 0`."""
    left, right = one.left, one.right
    while one.sign == "%" and isinstance(left, tuple) and left[0] == "//":
        count, base = _factors(right)
        more, other = _factors(left[2])
        if base is not None and other is not None:
            break
        base = other if base is None else base
        count *= more
        right = count if base is None else base if count == 1 else ("*", count, base)
        left = left[1]
    return Requirement(left, one.sign, right)


def _factors(term: Term) -> tuple[int, Term | None]:
    """Split a term into a constant factor and the rest; None if there is no rest."""
    if isinstance(term, int):
        return int(term), None
    if isinstance(term, tuple) and term[0] == "*" and isinstance(term[1], int):
        return int(term[1]), term[2]
    return 1, term


def _follows(one: Requirement, other: Requirement) -> bool:
    """Whether `other` implies `one`."""
    if one is other or one.key[:2] != other.key[:2]:
        return False
    if one.sign == ">" and isinstance(one.right, tuple) and isinstance(other.right, tuple):
        (sign, whole, count), (_, around, more) = one.right, other.right  # half is above a quarter
        same = sign == other.right[0] == "floor" and code_of(whole) == code_of(around)
        return same and isinstance(count, int) and isinstance(more, int) and more < count
    (count, base), (more, around) = _factors(one.right), _factors(other.right)
    same = base is None or (around is not None and code_of(base) == code_of(around))
    return one.sign == "%" and same and more % count == 0


# -- layers


def _equal_layers(graph: ModuleGraph) -> Iterator[Requirement]:
    """The next layer reads the result of a layer: it has the same width, or there is no next."""
    for scope in graph.scopes.values():
        if scope.role != "layers" or scope.layers is None:
            continue
        kinds = [graph.scopes[f"{scope.path}.{kind}"] for kind in dict.fromkeys(scope.order)]
        for enter, end in (pair for kind in kinds for pair in kind.carries):
            before, after = (graph.values[one].shape[-1].size for one in (enter, end))
            if before is None or after is None or code_of(_tree(before)) == code_of(_tree(after)):
                continue
            if int(scope.layers) > 1:
                yield Requirement(_tree(after), "==", _tree(before))
            elif int(before) != int(after):
                yield Requirement(_tree(scope.layers), "==", 1)


# -- the relations of each kind of op


def _shared_heads(graph: ModuleGraph, op: Op) -> Iterator[Requirement]:
    """Every key-value head serves the same number of query heads."""
    if code_of(_tree(op.attrs["heads"])) != code_of(_tree(op.attrs["kv_heads"])):
        yield _multiple(op.attrs["heads"], op.attrs["kv_heads"])
    mask = graph.producer(op.arg("mask")) if op.kind == "attend" and op.arg("mask") else None
    if mask is not None and mask.kind == "head_masks":
        yield _multiple(op.attrs["kv_heads"], len(mask.inputs))


def _rotated_pairs(graph: ModuleGraph, op: Op) -> Iterator[Requirement]:
    """Rotary positions rotate pairs of features; on a grid, half of them by row."""
    if op.attrs.get("widths"):
        yield from _widths_of_axes(op)
        return
    yield _multiple(op.attrs["width"], 4 if op.kind == "grid_rope_table" else 2)
    scaling = op.attrs.get("scaling") or {}
    if scaling.get("type") == "longrope":
        for key in ("short_factor", "long_factor"):
            pairs = ("//", _tree(op.attrs["width"]), 2)
            yield Requirement(("len", scaling[key]), "==", pairs)
        if "attention_factor" in scaling:
            yield _above(scaling["original_max_positions"], 1)


def _groups(graph: ModuleGraph, op: Op) -> Iterator[Requirement]:
    experts, groups = graph.values[op.first].shape[-1], op.attrs["groups"]
    yield _multiple(experts, groups)
    yield _at_most(op.attrs["kept"], groups)
    if op.attrs["members"] > 1:
        members = Size.of(experts.size or 1) // groups
        yield Requirement(_tree(members), ">=", int(op.attrs["members"]))


def _chosen(graph: ModuleGraph, op: Op) -> Iterator[Requirement]:
    """`top_k` is at most the number of experts, or of those in the kept groups."""
    source = graph.producer(op.first)
    most = _tree(graph.values[op.first].shape[-1])
    if source is not None and source.kind == "best_groups":
        members = ("//", most, _tree(source.attrs["groups"]))
        most = ("*", _tree(source.attrs["kept"]), members)
    yield Requirement(_tree(op.attrs["top_k"]), "<=", most)


def _buckets(graph: ModuleGraph, op: Op) -> Iterator[Requirement]:
    """Half of the buckets of each direction hold one distance each (T5)."""
    buckets, parts = op.attrs["buckets"], 4 if op.attrs["bidirectional"] else 2
    yield _multiple(buckets, parts)
    yield _above(op.attrs["max_distance"], Size.of(buckets).floor(parts))


def _places(graph: ModuleGraph, op: Op) -> Iterator[Requirement]:
    if op.attrs["rule"] == "log":
        buckets = Size.of(op.attrs["buckets"])
        yield _multiple(buckets, 2)
        yield _above(op.attrs["max_distance"], buckets.floor(2) + 1)


def _convolution(graph: ModuleGraph, op: Op) -> Iterator[Requirement]:
    """The padding code of a convolution depends on whether its kernel is odd."""
    if op.attrs["padded"]:
        kernel = _tree(op.attrs["kernel"])
        yield Requirement(kernel, "odd" if op.attrs["kernel"] % 2 else "%", 2)
    groups = op.attrs["groups"]
    for channels in (op.attrs["channels"], op.attrs["out_dim"]):
        if groups != 1 and code_of(_tree(channels)) != code_of(_tree(groups)):
            yield _multiple(channels, groups)


def _patches(graph: ModuleGraph, op: Op) -> Iterator[Requirement]:
    *frames, height, width = op.attrs["sides"]
    for side in (height, width):
        yield _at_most(op.attrs["patch"], side)
    if op.attrs["tubelet"] != 1:  # each size is at least 1
        for number in frames:
            yield _at_most(op.attrs["tubelet"], number)


def _sinusoid(graph: ModuleGraph, op: Op) -> Iterator[Requirement]:
    yield _multiple(op.attrs["width"], 2)


def _sinusoid_of_grid(graph: ModuleGraph, op: Op) -> Iterator[Requirement]:
    """Half of the width for each axis, in pairs."""
    if op.attrs["widths"]:
        yield from _widths_of_axes(op)
        return
    yield _multiple(op.attrs["width"], 4)


def _widths_of_axes(op: Op) -> Iterator[Requirement]:
    """The features of frame, row and column are pairs, and together all that there are."""
    widths: list[Size] = list(op.attrs["widths"].values())
    if not isinstance(widths[0].tree, Field):  # a quarter and three eighths
        yield _multiple(op.attrs["width"], 16)
        return
    for one in widths:
        yield _multiple(one, 2)
    yield Requirement(_tree(sum(widths[1:], widths[0])), "==", _tree(op.attrs["width"]))


def _image(graph: ModuleGraph, op: Op) -> Iterator[Requirement]:
    """An image consists of whole patches."""
    for side in op.attrs["sides"]:
        yield _multiple(side, op.attrs["patch"])


def _pooled(graph: ModuleGraph, op: Op) -> Iterator[Requirement]:
    """The first `tokens` of a sequence are pooled; they must be prefix tokens. The id of a token
    that is pooled is one of the vocabulary.
    """
    front = [x for x in graph.ops() if x.kind == "insert_tokens" and x.attrs["at"] == 0]
    if op.attrs.get("token") is not None:
        yield from _in_vocabulary(graph, op.arg("extra"), op.arg("x"), op.attrs["token"])
    if op.attrs["tokens"] > 1 and len(front) == 1:
        yield Requirement(_tree(front[0].attrs["rows"]), ">=", int(op.attrs["tokens"]))


def _placed(graph: ModuleGraph, op: Op) -> Iterator[Requirement]:
    """The id that stands for vectors is one of the vocabulary."""
    yield from _in_vocabulary(graph, op.arg("ids"), op.arg("x"), op.attrs["token"])


def _in_vocabulary(graph: ModuleGraph, ids: str, x: str, token: Any) -> Iterator[Requirement]:
    """The embedding of these ids, from which `x` is computed, has this one."""
    for reader in graph.consumers(ids):
        if reader.kind == "embedding" and reader.outputs[0] in _sources(graph, x):
            yield _above(reader.attrs["rows"], token)


def _sources(graph: ModuleGraph, value: str) -> set[str]:
    """A value, and what it is computed from."""
    found, waiting = set(), [value]
    while waiting:
        one = waiting.pop()
        producer = graph.producer(one)
        found.add(one)
        waiting += [] if producer is None else [v for v in producer.inputs if v]
    return found


ROWS: dict[str, Rows] = {
    "place_rows": _placed,
    "attend": _shared_heads,
    "attend_linearly": _shared_heads,
    "pool_heads": _shared_heads,
    "rope_table": _rotated_pairs,
    "grid_rope_table": _rotated_pairs,
    "best_groups": _groups,
    "top_k": _chosen,
    "sparse_mixer": _chosen,
    "relative_buckets": _buckets,
    "relative_places": _places,
    "convolve": _convolution,
    "convolve_image": _convolution,
    "patchify": _patches,
    "sinusoid": _sinusoid,
    "grid_sinusoid": _sinusoid_of_grid,
    "unpatchify": _image,
    "pool": _pooled,
    "join_tokens": _pooled,
}
