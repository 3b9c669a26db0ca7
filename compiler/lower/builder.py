"""Builder: adds ops, scopes and values to a graph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from ...spec.branches import OWN
from ..axes import Dim, Shape, T
from ..formula import HeadFormulas
from ..graph import ModuleGraph, Op, Origin, Scope, Value
from ..operands import Operands
from ..ops import OPS
from ..ops.row import Inputs
from ..sizes import Field, Formula, IndivisibleError, Size
from .field_names import name_fields

if TYPE_CHECKING:
    from ...spec.model import ModelSpec


class RefusedError(Exception):
    """The lowering of a variant cannot do what the spec says at a path."""

    def __init__(self, message: str, path: Origin) -> None:
        super().__init__(message)
        self.path = path


class Builder:
    """Appends ops to the current scope, with their origin in the spec."""

    def __init__(self, graph: ModuleGraph) -> None:
        self.graph = graph
        self.scope = ""
        self.origin: Origin = ()
        self.context: tuple[str, ...] = ()  # stack, block, branch, part: see field_names.py
        self._requests: list[Field] = []
        self._values = 0
        self._length: Dim | None = None

    # -- current position

    @contextmanager
    def at(self, *path: Any) -> Iterator[None]:
        """Context: ops built here have this origin (appended to the enclosing one)."""
        before, self.origin = self.origin, (*self.origin, *path)
        yield
        self.origin = before

    @contextmanager
    def beside(self, *path: Any) -> Iterator[None]:
        """Context: ops built here come from a key of the enclosing sublayer, block or stack."""
        before, self.origin = self.origin, (*self._level(*path[:1]), *path)
        yield
        self.origin = before

    @contextmanager
    def at_stack(self, stack: str, *path: Any) -> Iterator[None]:
        """Context: ops built here come from a key of this stack."""
        before, self.origin = self.origin, ("stacks", stack, *path)
        yield
        self.origin = before

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Context: ops built here come from the part around the one that is being lowered."""
        before, self.origin = self.origin, self.origin[:-1]
        yield
        self.origin = before

    def _level(self, key: Any = "") -> Origin:
        """The path of the enclosing sublayer, block or stack that has this key."""
        if self.origin[2:3] != ("blocks",):
            return self.origin[:2]
        own = self.origin[4:5] == ("sublayers",) and key in OWN
        return self.origin[: 6 if own else 4]

    @property
    def kind_prefix(self) -> str:
        """The name of the block, and of the sublayer if it is in one, as a prefix of a weight."""
        names = self.context[1 : 3 if self.origin[4:5] == ("sublayers",) else 2]
        return "".join(f"{name}_" for name in names)

    @contextmanager
    def within(self, name: str) -> Iterator[None]:
        """Context: sizes requested here belong to this stack, block, branch or part."""
        before, self.context = self.context, (*self.context, name)
        yield
        self.context = before

    @contextmanager
    def module(self, name: str, role: str = "module", **details: Any) -> Iterator[Scope]:
        """Context: a scope below the current one, whose name prefixes its weights."""
        parent = self.graph.scopes[self.scope]
        path = f"{parent.path}.{name}" if parent.path else name
        prefix = details.pop("weights", None)
        if prefix is None:
            own = name if role in ("module", "stack") else ""
            prefix = ".".join(part for part in (parent.weights, own) if part)
        details.setdefault("stack", parent.stack)
        scope = Scope(path, name, role, parent.path, prefix, origin=self.origin, **details)
        self.graph.scopes[path] = scope
        before, self.scope = self.scope, path
        yield scope
        self.scope = before

    @contextmanager
    def in_scope(self, path: str) -> Iterator[None]:
        """Context: build in another scope, for values shared by a whole stack."""
        before, self.scope = self.scope, path
        yield
        self.scope = before

    @contextmanager
    def as_long_as(self, length: Dim) -> Iterator[None]:
        """Context: values built here have the length M of a memory instead of T."""
        before, self._length = self._length, length
        yield
        self._length = before

    # -- sizes

    def field(self, key: str, value: Any, comment: str = "", at: Origin = ()) -> Field:
        """Make a number of the spec a field of the emitted Config.

        `at`: where it stands in this part of the spec, if not at a key of the same name.
        """
        if isinstance(value, int):  # 40 for 40.0; only sizes are integers
            value = float(value)
        return self._request(key, value, comment, at)

    def _request(self, key: str, value: Any, comment: str, at: Origin) -> Field:
        found = Field(key, value, self.origin, self.context, comment=comment, at=at or (key,))
        self._requests.append(found)
        return found

    def size(
        self, key: str, value: int, comment: str = "", at: Origin = (), least: int = 1
    ) -> Size:
        field = self._request(key, int(value), comment, at)
        field.least = least
        return Size.of(field)

    def derived(self, key: str, value: float, formula: Formula) -> Field:
        """A number that follows from fields of the Config: a property of it."""
        found = self.field(key, value)
        found.formula = formula
        return found

    def name_fields(self, spec: ModelSpec) -> None:
        """Name the fields of the Config, and record the origin in the spec of each number."""
        self.graph.fields = name_fields(self._requests, spec)
        named = {field.name: field for field in self.graph.fields}
        for request in self._requests:
            path = (*request.origin, *request.at)
            if _stands_in(spec, path):
                request.origin = path
            named[request.name].places[request.origin] = None

    # -- values and ops

    def value(
        self, name: str, shape: Shape, dtype: str = "float", *, optional: bool = False
    ) -> str:
        self._values += 1
        identity = f"{name or 'v'}_{self._values}"
        return self.graph.add_value(Value(identity, name, shape, dtype, optional))

    def op(self, kind: str, *inputs: str, name: str = "", out: str = "", **attrs: Any) -> str:
        """Append an op with one result; returns the id of the result."""
        return self.ops(kind, *inputs, name=name, out=(out,), **attrs)[0]

    def ops(
        self, kind: str, *inputs: str, name: str = "", out: tuple[str, ...], **attrs: Any
    ) -> list[str]:
        row = OPS[kind]
        if "kv_heads" in attrs:
            _check_groups(attrs)
            self._check_masks(attrs)
        inputs = row.filled(inputs)
        slots = row.named(len(inputs))
        given = Inputs.of(slots, inputs, self.graph.values)
        dtype = row.dtype or attrs.pop("dtype", "") or given.first.dtype
        dtypes = dtype.split() if " " in dtype else [dtype] * len(out)
        optional = attrs.pop("optional", False)
        outputs = [
            self.value(title, self._measured(shape), kind_of, optional=optional)
            for title, shape, kind_of in zip(out, row.shape(given, attrs), dtypes, strict=True)
        ]
        number = len(self.graph)
        weights = row.weights(attrs)
        self.graph.add_op(
            Op(
                number,
                kind,
                Operands(inputs),
                tuple(outputs),
                self.scope,
                name,
                attrs,
                weights,
                self.origin,
                slots,
            )
        )
        return outputs

    def refuse(self, message: str, key: str) -> NoReturn:
        """Raise RefusedError at a key of the enclosing sublayer or block."""
        raise RefusedError(message, (*self._level(key), key))

    def _check_masks(self, attrs: dict[str, Any]) -> None:
        """Each mask of a list is for as many key/value heads."""
        formula, heads = attrs.get("formula"), attrs["kv_heads"].size
        if isinstance(formula, HeadFormulas) and heads is not None and int(heads) % len(formula):
            self.refuse(
                f"the number of masks ({len(formula)}) must divide that of key-value heads "
                f"({int(heads)})",
                "mask",
            )

    def _measured(self, shape: Shape) -> Shape:
        if self._length is None:
            return shape
        return tuple(self._length if dim == T else dim for dim in shape)

    def shape(self, value: str) -> Shape:
        return self.graph.values[value].shape

    def may_be_absent(self, *values: str) -> None:
        """Record that these values may be None."""
        for value in values:
            self.graph.values[value] = replace(self.graph.values[value], optional=True)

    def rename(self, value: str, name: str) -> str:
        """Rename a value; arguments keep their names."""
        old = self.graph.values[value]
        producer = self.graph.producer(value)
        if producer is not None and producer.kind == "argument":
            return value
        self.graph.values[value] = Value(old.id, name, old.shape, old.dtype, old.optional)
        return value

    def width(self, value: str) -> Dim:
        return self.graph.values[value].shape[-1]


def _check_groups(attrs: dict[str, Any]) -> None:
    """Raise IndivisibleError unless key-value heads divide query heads."""
    heads, kv_heads = (getattr(attrs.get(key), "size", None) for key in ("heads", "kv_heads"))
    if heads is not None and kv_heads is not None and int(heads) % int(kv_heads):
        raise IndivisibleError(heads, kv_heads)


def _stands_in(spec: Any, path: Origin) -> bool:
    """Whether the spec has a value at this path."""
    for step in path:
        if isinstance(spec, dict):
            if step not in spec:
                return False
            spec = spec[step]
        elif isinstance(spec, tuple):
            spec = spec[step] if isinstance(step, int) and step < len(spec) else None
        else:
            spec = getattr(spec, str(step), None)
        if spec is None:
            return False
    return True
