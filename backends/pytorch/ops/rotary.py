"""Rotary positions: angles, RoPE scaling, and rotation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ....compiler.axes import show
from ....compiler.graph import ModuleGraph, Op
from ..code.measure import LONG, width
from ..code.nodes import Call, Expr, Name, Sequence, Set
from ..code.read import call, expression, names
from ..writer import Writer
from .row import Row


def rope_table(f: Writer, op: Op) -> None:
    width, theta, scaling = op.attrs["width"], op.attrs["theta"], op.attrs["scaling"]
    numbers, like = (f.number(width), f.number(theta)), f.like
    positions = f.arg(op, "positions")
    bound, frequencies = _names(f, op)
    if _by_frequencies(f.graph):
        found = call("rope_frequencies", *numbers, like=like)
        if scaling is not None and scaling["type"] in ONCE:
            found = SCALINGS[scaling["type"]](f, found, positions, scaling)
            scaling = None
        f.assign(frequencies.id, found, "(R/2,)", op)
        if scaling is not None:
            scaled = SCALINGS[scaling["type"]](f, frequencies, positions, scaling)
            f.assign(frequencies.id, scaled, "", op)
        angles = call("scaled_rope_angles", positions, frequencies)
    else:
        angles = call("rope_angles", positions, *numbers, like=like)
    counted = f.graph.producer(op.arg("positions"))
    alike = counted is not None and not any(counted.inputs)  # the same for every sequence
    note = "(1, T, R/2) each" if alike else "(B, 1, T, R/2) each"
    f.assign_all(bound, angles, note, op)
    if factor := attention_factor(f, op, positions, bound[0]):
        _grow(f, op, bound, factor)


def _by_frequencies(graph: ModuleGraph) -> bool:
    """Whether any table scales its frequencies; if so, all compute frequencies and angles apart."""
    return any(op.kind == "rope_table" and op.attrs["scaling"] for op in graph.ops())


def _names(f: Writer, op: Op) -> tuple[list[str], Name]:
    """The names of cosine, sine and frequencies."""
    titles = [f.graph.values[value].name for value in op.outputs]
    bound = [f.bind(value, title) for value, title in zip(op.outputs, titles, strict=True)]
    return bound, Name(bound[0].removesuffix("cos") + "frequencies")


def _grow(f: Writer, op: Op, bound: list[str], factor: Any) -> None:
    grown = [expression("x * factor", x=Name(name), factor=factor) for name in bound]
    both = Set(names(*bound), Sequence(tuple(grown), ""))
    if width(both) <= LONG - 8:
        f.say(both, op=op)
        return
    for name, value in zip(bound, grown, strict=True):
        f.assign(name, value, "", op)


def grid_rope_table(f: Writer, op: Op) -> None:
    if op.attrs["widths"]:
        _video_rope_table(f, op)
        return
    bound, frequencies = _names(f, op)
    sizes = [f.number(op.attrs["width"] // 2), f.number(op.attrs["theta"])]
    f.assign(frequencies.id, call("rope_frequencies", *sizes, like=f.like), "(R/4,)", op)
    centred = op.attrs["coordinates"] == "centred"
    numbers = [f.number(size) for size in (*op.attrs["grid"], op.attrs["front"])]
    angles = call("centred_grid_angles" if centred else "grid_angles", *numbers, frequencies)
    f.assign_all(bound, angles, "(1, T, R/2) each", op)


def _video_rope_table(f: Writer, op: Op) -> None:
    bound, _ = _names(f, op)
    given = {"grid": op.attrs["grid"], "widths": op.attrs["widths"].values()}
    for name, sizes in given.items():
        held = f.bind(f"{op.outputs[0]} {name}", name)
        f.assign(held, Sequence(tuple(map(f.number, sizes)), "()"), "", op)
        given[name] = Name(held)
    numbers = [f.number(op.attrs[key]) for key in ("front", "theta")]
    angles = call("video_angles", *given.values(), *numbers, like=f.like)
    f.assign_all(bound, angles, "(1, T, R/2) each", op)


def attention_factor(f: Writer, op: Op, positions: Any, cos: str) -> Any:
    """The attention factor, which multiplies cosine and sine; None if it is 1."""
    scaling = op.attrs["scaling"] or {}
    if "attention_factor" in scaling:
        return f.number(scaling["attention_factor"])
    if "short_mscale" not in scaling:
        return None
    keys = ("short_mscale", "long_mscale", "original_max_positions")
    numbers = [f.number(scaling[key]) for key in keys]
    name = cos.removesuffix("cos") + "attention_factor"
    f.assign(name, call("by_length", positions, *numbers, like=Name(cos)), "", op)
    return Name(name)


def linear_scaling(f: Writer, base: Expr, positions: Any, scaling: dict[str, Any]) -> Any:
    return expression("base / factor", base=base, factor=f.number(scaling["factor"]))


def dynamic_scaling(f: Writer, base: Expr, positions: Any, scaling: dict[str, Any]) -> Any:
    numbers = [f.number(scaling[key]) for key in ("factor", "original_max_positions")]
    return call("dynamic_frequencies", base, positions, *numbers)


def llama3_scaling(f: Writer, base: Expr, positions: Any, scaling: dict[str, Any]) -> Any:
    keys = ("factor", "low_freq_factor", "high_freq_factor", "original_max_positions")
    return call("llama3_frequencies", base, *[f.number(scaling[key]) for key in keys])


def yarn_scaling(f: Writer, base: Expr, positions: Any, scaling: dict[str, Any]) -> Any:
    keys = ("theta", "factor", "original_max_positions", "beta_fast", "beta_slow")
    name = "yarn_frequencies" if scaling["truncate"] else "yarn_frequencies_between_pairs"
    return call(name, base, *[f.number(scaling[key]) for key in keys])


def longrope_scaling(f: Writer, base: Expr, positions: Any, scaling: dict[str, Any]) -> Any:
    keys = ("short_factor", "long_factor", "original_max_positions")
    numbers = [f.number(scaling[key]) for key in keys]
    divisors = call("by_length", positions, *numbers, like=base)
    return expression("base / divisors", base=base, divisors=divisors)


ONCE = ("linear", "dynamic", "llama3", "yarn")
"""Scalings that read the frequencies once, so that they need no name before."""
SCALINGS: dict[str, Callable[[Writer, Expr, Any, dict[str, Any]], Any]] = {
    "linear": linear_scaling,
    "dynamic": dynamic_scaling,
    "llama3": llama3_scaling,
    "yarn": yarn_scaling,
    "longrope": longrope_scaling,
}


def rotate(f: Writer, op: Op) -> Any:
    name = "apply_partial_rope" if op.attrs["partial"] else "apply_rope"
    if op.attrs["layout"] == "interleaved":
        name += "_interleaved"
    x, cos, sin = f.given(op, "x", "cos", "sin")
    if not op.attrs.get("end"):
        return _beside_last(f, op, call(name, x, cos, sin))
    nope, rope = Name(f"{x.id}_nope"), Name(f"{x.id}_rope")
    sizes = {"a": f.number(op.attrs["end"]), "b": f.number(op.attrs["width"])}
    f.assign_all((nope.id, rope.id), expression("x.split([a, b], dim=-1)", x=x, **sizes))
    turned = call(name, rope, cos, sin)
    return expression("torch.cat([still, turned], dim=-1)", still=nope, turned=turned)


def _beside_last(f: Writer, op: Op, turned: Call) -> Call | None:
    """The rotation; None if it joined the last line, which rotates the queries by these angles."""
    result, last = f.graph.values[op.outputs[0]], f.body[-1] if f.body else None
    held = f.graph.values.get(f.holds.get(result.name, ""))
    if held is None or show(held.shape) != show(result.shape):  # its shape needs a note
        return turned
    if not isinstance(last, Set) or not isinstance(last.value, Call) or last.note:
        return turned
    alike = last.value.of == turned.of and last.value.arguments[1:] == turned.arguments[1:]
    if not alike or not isinstance(last.target, Name) or last.target.id == result.name:
        return turned
    targets = names(last.target.id, result.name)
    both = replace(last, target=targets, value=Sequence((last.value, turned), ""))
    if width(both, depth=2) > LONG:
        return turned
    f.body.pop()
    f.say(both, op=op)
    f.bind(result.id, result.name)
    return None


ROWS: dict[str, Row] = {
    "rope_table": rope_table,
    "grid_rope_table": grid_rope_table,
    "rotate": rotate,
}
