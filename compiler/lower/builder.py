"""Builder: what a lowering function holds in its hand while it writes ops into a graph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations
from typing import TYPE_CHECKING, Any

from ..axes import Dim, Shape, T
from ..graph import ModuleGraph, Op, Origin, Scope, Value
from ..operands import Operands
from ..ops import OPS
from ..ops.row import Inputs
from ..sizes import Field, IndivisibleError, Size

if TYPE_CHECKING:
    from ...spec.model import ModelSpec

LEVELS = tuple(level for count in range(5) for level in combinations(range(4), count))
"""Which parts of a context (stack, block, branch, part of it) may stand before a key."""


class Builder:
    """Appends ops to the current scope, remembering which part of the spec asked for them."""

    def __init__(self, graph: ModuleGraph) -> None:
        self.graph = graph
        self.scope = ""
        self.origin: Origin = ()
        self.context: tuple[str, ...] = ()  # tells equal keys apart: see LEVELS
        self._requests: list[Field] = []
        self._values = 0
        self._length: Dim | None = None

    # -- where we are

    @contextmanager
    def at(self, *path: Any) -> Iterator[None]:
        """What is built here comes from this part of the spec (appended to the enclosing one)."""
        before, self.origin = self.origin, (*self.origin, *path)
        yield
        self.origin = before

    @contextmanager
    def beside(self, *path: Any) -> Iterator[None]:
        """What is built here comes from a key of the enclosing block or stack."""
        level = 4 if self.origin[2:3] == ("blocks",) else 2
        before, self.origin = self.origin, (*self.origin[:level], *path)
        yield
        self.origin = before

    @contextmanager
    def within(self, name: str) -> Iterator[None]:
        """Sizes asked for here belong to this stack, block, branch or part of one."""
        before, self.context = self.context, (*self.context, name)
        yield
        self.context = before

    @contextmanager
    def module(self, name: str, role: str = "module", **details: Any) -> Iterator[Scope]:
        """A scope below the current one; its weights are prefixed by its name."""
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
        """Build in another scope: what a whole stack shares stands outside its layers."""
        before, self.scope = self.scope, path
        yield
        self.scope = before

    @contextmanager
    def as_long_as(self, length: Dim) -> Iterator[None]:
        """What is built here is not T long: what is read in a memory has its length, M."""
        before, self._length = self._length, length
        yield
        self._length = before

    # -- sizes

    def field(self, key: str, value: Any, comment: str = "") -> Field:
        """A number of the spec that becomes a field of the emitted Config."""
        found = Field(key, value, self.origin, self.context, comment=comment)
        self._requests.append(found)
        return found

    def size(self, key: str, value: int, comment: str = "") -> Size:
        return Size.of(self.field(key, int(value), comment))

    def name_fields(self) -> None:
        """One name per number: the key alone where all agree, with a prefix where they do not."""
        by_key: dict[str, list[Field]] = {}
        for request in self._requests:
            by_key.setdefault(request.key, []).append(request)
        seen: dict[str, Field] = {}
        for key, requests in by_key.items():
            level = _telling_level(requests)
            for request in requests:
                request.name = "_".join((*_prefix(request, level), key))
                seen.setdefault(request.name, request)
        order = {id(request): i for i, request in enumerate(self._requests)}
        self.graph.fields = sorted(seen.values(), key=lambda field: order[id(field)])

    def find_fields(self, spec: ModelSpec) -> None:
        """Say of each number where in the spec it stands, where its key is one of the spec's."""
        named = {field.name: field for field in self.graph.fields}
        for request in self._requests:
            path = (*request.origin, request.key)
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
        """Append an op with one result; returns the result's value id."""
        return self.ops(kind, *inputs, name=name, out=(out,), **attrs)[0]

    def ops(
        self, kind: str, *inputs: str, name: str = "", out: tuple[str, ...], **attrs: Any
    ) -> list[str]:
        row = OPS[kind]
        if "kv_heads" in attrs:
            _check_groups(attrs)
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

    def _measured(self, shape: Shape) -> Shape:
        if self._length is None:
            return shape
        return tuple(self._length if dim == T else dim for dim in shape)

    def shape(self, value: str) -> Shape:
        return self.graph.values[value].shape

    def rename(self, value: str, name: str) -> str:
        """Give a value the name a reader would choose; an argument has its own."""
        old = self.graph.values[value]
        producer = self.graph.producer(value)
        if producer is not None and producer.kind == "argument":
            return value
        self.graph.values[value] = Value(old.id, name, old.shape, old.dtype, old.optional)
        return value

    def width(self, value: str) -> Dim:
        return self.graph.values[value].shape[-1]


def _check_groups(attrs: dict[str, Any]) -> None:
    """Each key/value head serves the same number of query heads. Raises IndivisibleError."""
    heads, kv_heads = (getattr(attrs.get(key), "size", None) for key in ("heads", "kv_heads"))
    if heads is not None and kv_heads is not None and int(heads) % int(kv_heads):
        raise IndivisibleError(heads, kv_heads)


def _stands_in(spec: Any, path: Origin) -> bool:
    """Is there a value in the spec at this path?"""
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


def _prefix(field: Field, level: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(field.context[i] for i in level if i < len(field.context))


def _telling_level(requests: list[Field]) -> tuple[int, ...]:
    """The shortest choice of context parts under which different numbers have different names."""
    for level in LEVELS:
        values: dict[tuple[str, ...], Any] = {}
        if all(values.setdefault(_prefix(r, level), r.value) == r.value for r in requests):
            return level
    raise AssertionError(f"one part asks for two values of {requests[0].key}")
