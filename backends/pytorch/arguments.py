"""Merge classes that differ in sizes or in one module, which become constructor arguments.

`FeedForward(config, d_ff)` is one class for all widths; `Block(config, layer, feed_forward)` is one
class for layers with and without experts.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from ...compiler.graph import Scope
from .code.nodes import Call, Dot, Expr, Function, Name, Parameter, Set, Statement
from .code.read import dotted
from .code.walk import FIELDS, VALUES, change, groups_of, walk
from .plan import FilePlan
from .sizes import CONFIG

MOST_ARGUMENTS = 2
"""Maximum number of such arguments; classes that differ in more are not merged."""


class Written(Protocol):
    """A class that is being written."""

    scope: Scope
    noun: str
    doc: str
    constructor: Function
    body: tuple[Statement, ...]
    before: Function | None


GIVEN = ("config", "layer")
"""Parameters that are removed if an argument replaces their only use."""


class DifferentError(Exception):
    """Two classes differ in more than can be an argument."""


@dataclass
class Arguments:
    """The constructor arguments of a group of classes.

    sizes   the values in each class -> the parameter that replaces them
    module  the parameter that takes a module, and the module of each class
    """

    plan: FilePlan
    of_blocks: bool
    sizes: dict[tuple[Expr, ...], str] = field(default_factory=dict)
    module: tuple[str, tuple[Expr, ...]] | None = None

    def one(self, parts: tuple[Any, ...]) -> Any:
        """One tree for trees that are equal except for Config sizes. Raises DifferentError."""
        first = parts[0]
        if all(part == first for part in parts):
            return first
        kind = type(first)
        if any(type(part) is not kind for part in parts):
            raise DifferentError
        if kind is Dot and all(part.of == CONFIG for part in parts):
            return self.size(parts)
        if kind is tuple and len({len(part) for part in parts}) == 1:
            return tuple([self.one(items) for items in zip(*parts, strict=True)])
        if kind not in FIELDS:
            raise DifferentError
        values = zip(*[VALUES[kind](part) for part in parts], strict=True)
        return kind(*[self.one(inner) for inner in values], origins=first.origins)

    def size(self, parts: tuple[Any, ...]) -> Expr:
        """The parameter for Config fields that differ between kinds of layers."""
        fields = self.plan.fields
        keys = {fields[part.name].key for part in parts if part.name in fields}
        if len(keys) != 1 or not all(part.name in fields for part in parts):
            raise DifferentError
        (key,) = keys
        if self.sizes.setdefault(parts, key) != key or list(self.sizes.values()).count(key) > 1:
            raise DifferentError
        return Name(key)

    def statement(self, parts: tuple[Any, ...]) -> Statement:
        """Merge one statement of `__init__` of all classes."""
        before = self.sizes.copy()
        try:
            made: Statement = self.one(parts)
        except DifferentError:
            self.sizes = before
            if not self.of_blocks or self.module is not None:
                raise
            made = self.given_module(parts)
        return made

    def given_module(self, parts: tuple[Any, ...]) -> Statement:
        """`self.feed_forward = feed_forward`, for modules of several classes."""
        first = parts[0]
        classes = set(self.plan.class_names.values())
        for part in parts:
            made = part.value if isinstance(part, Set) else None
            if not isinstance(made, Call) or not isinstance(made.of, Name):
                raise DifferentError
            if made.of.id not in classes or part.target != first.target:
                raise DifferentError
        name = first.target.name
        self.module = name, tuple(part.value for part in parts)
        given: Statement = replace(first, value=Name(name))
        return given

    def parameters(self) -> list[Parameter]:
        fields = self.plan.fields
        found = []
        for values, name in self.sizes.items():
            kinds = {type(fields[value.name].value) for value in values if isinstance(value, Dot)}
            found.append(Parameter(name, Name("float" if float in kinds else "int")))
        if self.module is not None:
            found.append(Parameter(self.module[0], dotted("nn.Module")))
        return found

    def of(self, number: int) -> dict[str, Expr]:
        """The constructor arguments of the class with this index."""
        found = {name: values[number] for values, name in self.sizes.items()}
        if self.module is not None:
            found[self.module[0]] = self.module[1][number]
        return found


def take_arguments(plan: FilePlan, classes: list[Any]) -> None:
    """Merge constructors that differ in a size, or in one module of a block."""
    alike: dict[Any, list[Any]] = {}  # by what is cheap to compare
    for one in classes:
        block = plan.graph.block_of(one.scope.path)
        if block is None or one.scope.role not in ("module", "block"):
            continue
        noun = "" if one.scope is block else one.noun
        lengths = [(len(method.parameters), len(method.body)) for method in one.body[1:]]
        alike.setdefault((noun, one.doc, *lengths), []).append(one)
    for several in alike.values():
        for group in groups_of(several, lambda one: one.body[1:]):
            _join(plan, group)


def sizes_between(plan: FilePlan, one: Written, other: Written) -> dict[Expr, Expr] | None:
    """Map sizes of one class to those of another; None if the classes differ in more."""
    if (one.doc, one.body[1:]) != (other.doc, other.body[1:]):
        return None
    if one.body[0] == other.body[0]:
        return {}
    found = _joined(plan, [one, other])
    if found is None or found[1].module is not None:
        return None
    sizes = {values[0]: values[1] for values in found[1].sizes}
    return sizes if change(one.body[0], sizes) == other.body[0] else None  # it may stand elsewhere


def _join(plan: FilePlan, group: list[Any]) -> None:
    """Merge the classes of a group, each with the first possible one."""
    if len(group) == 1:
        return
    whole = _joined(plan, group)  # then all fit one by one, too
    if whole is not None:
        _give_arguments(plan, group, *whole)
        return
    buckets: list[list[Any]] = []
    for one in group:
        bucket = next((b for b in buckets if _fits(plan, b, one)), None)
        if bucket is None:
            buckets.append([one])
        else:
            bucket.append(one)
    for bucket in buckets:
        if len(bucket) < len(group):
            _join(plan, bucket)


def _give_arguments(
    plan: FilePlan, classes: list[Any], made: Function, arguments: Arguments
) -> None:
    """Write the constructor of these classes with the arguments in which they differ, if any."""
    if not arguments.of(0):
        return
    for number, one in enumerate(classes):
        plan.class_arguments[one.scope.path] = arguments.of(number)
        plan.unneeded[one.scope.path] = {*GIVEN} - {p.name for p in made.parameters}
        one.before = one.constructor
        one.constructor = replace(made, origins=one.constructor.origins)
        one.body = (one.constructor, *one.body[1:])


def _fits(plan: FilePlan, bucket: list[Any], one: Any) -> bool:
    """Whether a class can be merged with all of a bucket; most do not fit its first already."""
    pair = _joined(plan, [bucket[0], one]) is not None
    return pair and (len(bucket) == 1 or _joined(plan, [*bucket, one]) is not None)


def _joined(plan: FilePlan, bucket: list[Any]) -> tuple[Function, Arguments] | None:
    """The merged constructor and the arguments of each class; None if they differ too much."""
    made = [one.constructor for one in bucket]
    first = made[0]
    if len({one.parameters for one in made}) > 1 or len({len(one.body) for one in made}) > 1:
        return None
    arguments = Arguments(plan, bucket[0].scope.role == "block")
    try:
        bodies = zip(*[one.body for one in made], strict=True)
        body = tuple([arguments.statement(parts) for parts in bodies])
    except DifferentError:
        return None
    added = arguments.parameters()
    if len(added) > MOST_ARGUMENTS:
        return None
    needed = {node.id for node in walk(*body) if isinstance(node, Name)}
    own = [p for p in first.parameters if p.name not in GIVEN or p.name in needed]
    optional = [p for p in own if p.default is not None]
    required = [p for p in own if p.default is None]
    parameters = (*required, *added, *optional)
    if len({p.name for p in parameters}) < len(parameters):
        return None
    return replace(first, parameters=parameters, body=body), arguments
