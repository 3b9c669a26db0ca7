"""Rotary positions: a table of angles, the ways to stretch it, and the rotation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....compiler.graph import Op
from ..function import Function
from ..layout import WIDTH
from ..text import PRODUCT, Expr
from .row import Row, call


def rope_table(f: Function, op: Op) -> None:
    width, theta, scaling = op.attrs["width"], op.attrs["theta"], op.attrs["scaling"]
    base = call(
        f.helper("positions", "rope_frequencies"),
        f.number(width),
        f.number(theta),
        f"like={f.like}",
    )
    names = []
    positions = str(f.use(op.inputs[0]))
    for value in op.outputs:
        names.append(f.bind(value, f.graph.values[value].name))
    frequencies = names[0].removesuffix("cos") + "frequencies"
    f.say(f"{frequencies} = {base}", "(R/2,)", op.number)
    if scaling is not None:
        scaled = SCALINGS[scaling["type"]](f, frequencies, positions, scaling)
        f.say(f"{frequencies} = {scaled}", "", op.number)
    angles = call(f.helper("positions", "rope_angles"), positions, frequencies)
    counted = f.graph.producer(op.inputs[0])
    alike = counted is not None and not any(counted.inputs)  # the same for every sequence
    note = "(1, T, R/2) each" if alike else "(B, 1, T, R/2) each"
    f.say(f"{', '.join(names)} = {angles}", note, op.number)
    if factor := attention_factor(f, op, positions, names[0]):
        grown = [f"{name} * {factor}" for name in names]
        line = f"{', '.join(names)} = {', '.join(grown)}"
        apart = [f"{name} = {value}" for name, value in zip(names, grown, strict=True)]
        for said in [line] if len(line) <= WIDTH - 8 else apart:
            f.say(said, "", op.number)


def grid_rope_table(f: Function, op: Op) -> None:
    names = [f.bind(value, f.graph.values[value].name) for value in op.outputs]
    frequencies = names[0].removesuffix("cos") + "frequencies"
    sizes = [f.number(op.attrs["width"] // 2), f.number(op.attrs["theta"])]
    base = call(f.helper("positions", "rope_frequencies"), *sizes, f"like={f.like}")
    f.say(f"{frequencies} = {base}", "(R/4,)", op.number)
    centred = op.attrs["coordinates"] == "centred"
    helper = f.helper("positions", "centred_grid_angles" if centred else "grid_angles")
    numbers = [f.number(size) for size in (*op.attrs["grid"], op.attrs["front"])]
    angles = call(helper, *numbers, frequencies)
    f.say(f"{', '.join(names)} = {angles}", "(1, T, R/2) each", op.number)


def attention_factor(f: Function, op: Op, positions: str, cos: str) -> str:
    """What multiplies the table, so that scores grow; "" for nothing."""
    scaling = op.attrs["scaling"] or {}
    if "attention_factor" in scaling:
        return f.number(scaling["attention_factor"])
    if "short_mscale" not in scaling:
        return ""
    keys = ("short_mscale", "long_mscale", "original_max_positions")
    numbers = [f.number(scaling[key]) for key in keys]
    name = cos.removesuffix("cos") + "attention_factor"
    factor = call(f.helper("positions", "by_length"), positions, *numbers, f"like={cos}")
    f.say(f"{name} = {factor}", "", op.number)
    return name


def linear_scaling(f: Function, base: str, positions: str, scaling: dict[str, Any]) -> Expr:
    return Expr(f"{base} / {f.number(scaling['factor'])}", PRODUCT)


def dynamic_scaling(f: Function, base: str, positions: str, scaling: dict[str, Any]) -> Expr:
    numbers = [f.number(scaling[key]) for key in ("factor", "original_max_positions")]
    return call(f.helper("positions", "dynamic_frequencies"), base, positions, *numbers)


def llama3_scaling(f: Function, base: str, positions: str, scaling: dict[str, Any]) -> Expr:
    keys = ("factor", "low_freq_factor", "high_freq_factor", "original_max_positions")
    numbers = [f.number(scaling[key]) for key in keys]
    return call(f.helper("positions", "llama3_frequencies"), base, *numbers)


def yarn_scaling(f: Function, base: str, positions: str, scaling: dict[str, Any]) -> Expr:
    keys = ("theta", "factor", "original_max_positions", "beta_fast", "beta_slow")
    numbers = [f.number(scaling[key]) for key in keys]
    name = "yarn_frequencies" if scaling["truncate"] else "yarn_frequencies_between_pairs"
    return call(f.helper("positions", name), base, *numbers)


def longrope_scaling(f: Function, base: str, positions: str, scaling: dict[str, Any]) -> Expr:
    keys = ("short_factor", "long_factor", "original_max_positions")
    numbers = [f.number(scaling[key]) for key in keys]
    divisors = call(f.helper("positions", "by_length"), positions, *numbers, f"like={base}")
    return Expr(f"{base} / {divisors}", PRODUCT)


SCALINGS: dict[str, Callable[[Function, str, str, dict[str, Any]], Expr]] = {
    "linear": linear_scaling,
    "dynamic": dynamic_scaling,
    "llama3": llama3_scaling,
    "yarn": yarn_scaling,
    "longrope": longrope_scaling,
}


def rotate(f: Function, op: Op) -> Expr:
    name = "apply_partial_rope" if op.attrs["partial"] else "apply_rope"
    if op.attrs.get("end"):
        name = "apply_rope_to_end"
    if op.attrs["layout"] == "interleaved":
        name += "_interleaved"
    return call(f.helper("positions", name), *(str(f.use(value)) for value in op.inputs))


ROWS: dict[str, Row] = {
    "rope_table": rope_table,
    "grid_rope_table": grid_rope_table,
    "rotate": rotate,
}
