"""The `Config` of an emitted file: each number of the spec that the file uses, once."""

from __future__ import annotations

from typing import Any

from ...compiler.graph import ModuleGraph
from ...compiler.sizes import Field
from .text import Line, literal


def write_config(graph: ModuleGraph, used: set[str], init: list[tuple[str, Any]]) -> list[Line]:
    """The dataclass with the fields that the file's text mentions, and the checks they need."""
    lines = [
        Line("@dataclass(frozen=True)"),
        Line("class Config:"),
        Line('"""Sizes of the model. The defaults are the spec\'s."""', indent=1),
        Line(""),
    ]
    fields = [(f.name, f.value, f.comment) for f in graph.fields if f.name in used]
    fields += [(name, value, "") for name, value in init if name in used]
    for name, value, comment in fields:
        several = isinstance(value, tuple)
        annotation = "tuple[float, ...]" if several else type(value).__name__
        lines.append(Line(f"{name}: {annotation} = {literal(value)}", comment, indent=1))
    if not fields:
        lines.append(Line("pass", indent=1))
    checks = _checks(graph, {f.name: f for f in graph.fields if f.name in used})
    if checks:
        lines += [Line(""), Line("def __post_init__(self) -> None:", indent=1)]
        for whole, part in checks:
            lines.append(Line(f"if self.{whole} % self.{part}:", indent=2))
            first = f'f"{part} ({{self.{part}}}) must divide'
            second = f'{whole} ({{self.{whole}}})"'
            whole_message = f"raise ValueError({first} {second})"
            if len(whole_message) + 12 <= 100 or len(f"{first} {second}") + 16 <= 100:
                lines.append(Line(whole_message, indent=3))
                continue
            lines.append(Line("raise ValueError(", indent=3))
            if len(first) + 18 <= 100:
                lines.append(Line(f'{first} "', indent=4))
            else:
                lines.append(Line(f'"{part} "', indent=4))
                lines.append(Line(f'f"({{self.{part}}}) must divide "', indent=4))
            lines.append(Line(f'f"{second}', indent=4))
            lines.append(Line(")", indent=3))
    return lines


def _checks(graph: ModuleGraph, fields: dict[str, Field]) -> list[tuple[str, str]]:
    """Sizes that must divide one another: heads by kv_heads, the width by heads where derived."""
    found: list[tuple[str, str]] = []
    for op in graph.ops():
        if op.kind not in ("attend", "attend_linearly", "pool_heads"):
            continue
        heads, kv_heads = op.attrs["heads"].size, op.attrs["kv_heads"].size
        width = graph.values[op.inputs[0]].shape[-1].size
        pairs = []
        if heads.code() != kv_heads.code():
            pairs.append((heads.code(), kv_heads.code()))
        if width is not None and "//" in width.code():
            whole, _, part = width.code().partition(" // ")
            pairs.append((whole, part))
        found += [pair for pair in pairs if pair not in found and set(pair) <= set(fields)]
    return found
