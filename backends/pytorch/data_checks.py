"""Checks of images, signals and vectors where they enter a stack or the module of an input."""

from __future__ import annotations

from collections.abc import Iterable

from ...compiler.axes import Dim
from ...compiler.graph import ModuleGraph, Op
from .code.nodes import Do, Expr, If, Name, Sequence, Set, Statement
from .code.read import call, constant, expression, statements
from .code.walk import written_for
from .items import Do as DoOp
from .items import Item, Repeat
from .writer import Writer

FRAMES = ("Y", "*")
"""What the labels of frames contain that are not yet tokens."""


def data_checks(f: Writer, items: Iterable[Item], own: Iterable[str] = ()) -> list[Statement]:
    """`check_vectors(("B", self.channels, size, size), pixel_values=pixel_values)` for each
    argument with data that these items read themselves; modules of single inputs check theirs.

    own: further arguments, which no item need read
    """
    read = [
        value
        for item in items
        if isinstance(item, (DoOp, Repeat))
        for value in item.inputs
        if value
    ]
    found: list[Statement] = []
    for value in dict.fromkeys([*read, *own]):
        argument = f.graph.producer(value)
        if argument is not None and is_data(f.graph, argument) and _is_named(f, argument):
            found += _check(f, argument)
    return found


def _is_named(f: Writer, argument: Op) -> bool:
    """Whether the argument is a parameter of this function under its own name; not a memory."""
    return f.names.get(argument.outputs[0]) == Name(argument.name)


def is_data(graph: ModuleGraph, argument: Op) -> bool:
    """Whether an op is an argument with vectors, a signal or an image, or the pairs of a stream."""
    value = graph.values[argument.outputs[0]]
    given = {fact.argument for fact in graph.sources()}
    known = argument.name in given or len(value.shape) > 2
    return argument.kind == "argument" and value.dtype == "float" and known


def _check(f: Writer, argument: Op) -> list[Statement]:
    value = f.graph.values[argument.outputs[0]]
    sizes: list[Expr] = [_size(f, dim) for dim in value.shape]
    name, found = Name(argument.name), list[Statement]()
    if len(sizes) > 3 and sizes[-1] == sizes[-2] and value.shape[-1].size is not None:
        found.append(Set(Name("size"), sizes[-1]))
        sizes[-2:] = [Name("size")] * 2
    line = call("check_vectors", Sequence(tuple(sizes), "()"), **{argument.name: name})
    found = [written_for(one, argument.number) for one in (*found, Do(line))]
    if value.optional and f.whole and f.place.stack in f.graph.parts:
        return [If(expression("x is not None", x=name), tuple(found))]
    return found


def _size(f: Writer, dim: Dim) -> Expr:
    """The size of an axis, or its name if it may have any length."""
    if dim.size is not None:
        size: Expr = f.number(dim.size)
        return size
    label = "frames" if any(part in dim.label for part in FRAMES) else dim.label
    found: Expr = constant(label)
    return found


def frame_checks(f: Writer, op: Op, x: Expr) -> list[Statement]:
    """Statements that raise ValueError for a signal `x` that is too short for a convolutional stem,
    if `op` is its first convolution.
    """
    source = f.graph.producer(op.arg("x"))
    while source is not None and source.kind in ("swap_axes", "add_axis"):
        source = f.graph.producer(source.first)
    if source is None or source.kind != "argument":
        return []
    if op.attrs["padded"]:
        message = constant(f"{source.name} has no frames; at least one is needed")
        text = "if x.size(-1) == 0:\n    raise ValueError(message)"
        return [*statements(text, x=x, message=message)]
    stem = [other for other in f.graph.ops(op.scope) if other.kind == "convolve"]
    layers = [f.own(other) for other in stem if not other.attrs["padded"]]
    return [Do(call("check_frames", x, *layers))]
