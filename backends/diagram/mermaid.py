"""Write a drawing as Mermaid text."""

from __future__ import annotations

from .drawing import Box, Drawing
from .palette import theme
from .svg import identity
from .text import clean

_SHAPES = {"circle": ('(("', '"))'), "text": ('["', '"]'), "pill": ('("', '")')}
_ARROWS = {"tie": "-. tied .-", "residual": "-->", "memory": "==>"}


def mermaid(drawing: Drawing) -> str:
    """A flowchart from the bottom to the top, or from the left to the right."""
    lines = ["flowchart LR" if drawing.direction == "right" else "flowchart BT"]
    _inside(drawing, "", lines, "  ")
    done = set()
    for edge in drawing.edges:
        ends = (_name(edge.source), _ARROWS.get(edge.look, "-->"), _name(edge.target))
        if ends not in done:
            done.add(ends)
            lines.append("  " + " ".join(ends))
    colours = theme(drawing.theme)
    for look, paint in colours.looks.items():
        style = f"fill:{paint.fill},stroke:{paint.border},color:{colours.ink}"
        lines.append(f"  classDef {look} {style}")
    lines.append("  classDef text fill:none,stroke:none")
    lines.append(f"  classDef frame fill:{colours.frame.fill},stroke:{colours.frame.border}")
    for mark, colour in colours.marks.items():
        if any(part.mark == mark for part in drawing.parts()):
            lines.append(f"  classDef {mark} stroke:{colour},stroke-width:3px")
    for part in drawing.parts():
        if part.mark:
            lines.append(f"  class {_name(part.id)} {part.mark}")
    return "\n".join(lines) + "\n"


def _name(key: str) -> str:
    return identity(key).replace("-", "_")


def _inside(drawing: Drawing, parent: str, lines: list[str], indent: str) -> None:
    for box in drawing.boxes:
        if box.frame == parent:
            before, after = _SHAPES.get(box.form, ('("', '")'))
            lines.append(f"{indent}{_name(box.id)}{before}{_label(box)}{after}:::{box.look}")
    for frame in drawing.frames:
        if frame.parent == parent:
            title = " · ".join(part for part in (frame.name, frame.count) if part)
            lines.append(f'{indent}subgraph {_name(frame.id)}["{_escaped(title or " ")}"]')
            _inside(drawing, frame.id, lines, indent + "  ")
            lines.append(f"{indent}end")
            lines.append(f"{indent}class {_name(frame.id)} frame")


def _label(box: Box) -> str:
    return "<br/>".join(_escaped(line.text) for line in box.lines)


def _escaped(text: str) -> str:
    """Escape characters that are special in Mermaid."""
    plain = clean(text)
    return "".join(
        sign if sign.isalnum() or sign in " ,.·×→-_()" else f"#{ord(sign)};" for sign in plain
    )
