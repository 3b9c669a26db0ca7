"""Masks: the functions that make them, their names, and rows of single queries."""

from __future__ import annotations

from typing import Any

from ....compiler.graph import ModuleGraph, Op
from ....compiler.sizes import Size
from ..function import Function
from ..text import ATOM, BITAND, Expr
from .kernels import causal_case
from .row import Row, call


def mask(f: Function, op: Op) -> None:
    value = f.graph.values[op.outputs[0]]
    data = [str(f.use(v)) for v in op.inputs if v]
    if op.attrs["implicit"] == "full":
        expression = call(f.helper("functions", "padding_mask"), *data)
        note = f"(B, 1, 1, {op.attrs['keys']})"
    else:
        name = mask_name(f.graph, op)
        f.needs.masks[name] = op
        sizes = [f.number(size) for size in mask_sizes(op.attrs["formula"])]
        expression = call(name, f.first_place(op), f.end(), *sizes, *data, f"like={f.like}")
        note = ""
    bound = f.bind(value.id, value.name)
    f.say(f"{bound} = {expression}", note, op.number)
    if op.attrs["implicit"] == "causal" and f.structure.causal_given:
        tokens = f.like if f.like == "x" else f.names[f.ids]  # a memory has another length
        f.say(f"causal = {causal_case(f, bound, f'{tokens}.size(1)')}", "", op.number)


def head_masks(f: Function, op: Op) -> Expr:
    masks = [str(f.use(value)) for value in op.inputs]
    heads = f.number(op.attrs["shape"][1].size)
    return call(f.helper("functions", "masks_of_heads"), heads, *masks)


def global_rows(f: Function, op: Op) -> Expr:
    parts = []
    if op.inputs[0]:
        given = str(f.use(op.inputs[0]))
        parts.append(str(call(f.helper("functions", "given_rows"), given, f"{f.like}.device")))
    for limits in op.attrs["ranges"]:
        ends = (limits.start or 0, f.end() if limits.stop is None else limits.stop)
        texts = [
            f"{f.end()} - {-end}" if isinstance(end, int) and end < 0 else str(end) for end in ends
        ]
        rows = f.helper("functions", "rows_between")
        parts.append(str(call(rows, *texts, f.end(), f"{f.like}.device")))
    return Expr(" | ".join(parts), ATOM if len(parts) == 1 else BITAND - 1)


def select(f: Function, op: Op) -> Expr:
    return call("torch.where", *(str(f.use(value)) for value in op.inputs))


def mask_sizes(formula: Any) -> list[Size]:
    """The named sizes of a formula, each once, in order."""
    found: dict[str, Size] = {}
    for atom in atoms_of(formula):
        for arg in atom.args:
            if isinstance(arg, Size):
                found.setdefault(arg.code(), arg)
    return list(found.values())


def atoms_of(formula: Any) -> list[Any]:
    if hasattr(formula, "parts"):
        return [atom for part in formula.parts for atom in atoms_of(part)]
    return atoms_of(formula.part) if hasattr(formula, "part") else [formula]


def mask_name(graph: ModuleGraph, op: Op) -> str:
    """What the function of a mask is called: by its atoms; numbered where others have the same."""
    base = _mask_words(op)
    alike = dict.fromkeys(
        _mask_shape(other)
        for other in graph.ops()
        if other.kind == "mask" and other.attrs["implicit"] != "full" and _mask_words(other) == base
    )
    place = list(alike).index(_mask_shape(op))
    return f"{base}_{place + 1}" if place else base


def _mask_words(op: Op) -> str:
    words = dict.fromkeys(atom.name for atom in atoms_of(op.attrs["formula"]))
    name = "_".join(words) + "_mask"
    return "global_tokens_mask" if name == "global_mask" else name  # an argument is called so


def _mask_shape(op: Op) -> str:
    """What makes a function of a mask another one: the formula without its sizes, and the data."""
    sizes = [size.code() for size in mask_sizes(op.attrs["formula"])]
    data = "".join("x" if value else "-" for value in op.inputs)  # an image has no padding
    return f"{_without_sizes(op.attrs['formula'], sizes)} {op.attrs['implicit']} {data}"


def _without_sizes(formula: Any, sizes: list[str]) -> str:
    if hasattr(formula, "parts"):
        inner = ", ".join(_without_sizes(part, sizes) for part in formula.parts)
        return f"{type(formula).__name__}({inner})"
    if hasattr(formula, "part"):
        return f"~{_without_sizes(formula.part, sizes)}"
    args = [sizes.index(a.code()) if isinstance(a, Size) else repr(a) for a in formula.args]
    return f"{formula.name}{args}"


ROWS: dict[str, Row] = {
    "mask": mask,
    "head_masks": head_masks,
    "global_rows": global_rows,
    "select": select,
}
