"""Colours of parts, lines and text in each theme.

Colours never carry information that is not also in text or line style. `print` uses no colour:
white boxes, grey steps, and lines with different strokes.
"""

from __future__ import annotations

from typing import NamedTuple

THEMES = ("auto", "light", "dark", "print")


class Paint(NamedTuple):
    fill: str
    border: str


class Stroke(NamedTuple):
    colour: str
    width: float = 1.25
    dashes: str = ""  # as in SVG's stroke-dasharray


class Theme(NamedTuple):
    page: str  # background; "" for none
    ink: str
    muted: str
    frame: Paint
    inner_frame: Paint
    looks: dict[str, Paint]
    strokes: dict[str, Stroke]
    marks: dict[str, str]


LIGHT = Theme(
    page="#FFFFFF",
    ink="#17181B",
    muted="#53575E",
    frame=Paint("#F4F4F6", "#A3A6AC"),
    inner_frame=Paint("#FBFBFC", "#A3A6AC"),
    looks={
        "attention": Paint("#FFD49A", "#C25400"),
        "feed_forward": Paint("#BBDCF5", "#0A5FA5"),
        "norm": Paint("#FDF9D8", "#A69A2B"),
        "embedding": Paint("#F6CFE0", "#9C2F6B"),
        "linear": Paint("#E4E4E8", "#3E4046"),
        "position": Paint("#FFFFFF", "#9C2F6B"),
        "layers": Paint("#F4F4F6", "#A3A6AC"),
        "other": Paint("#FFFFFF", "#55585E"),
        "sum": Paint("#FFFFFF", "#2B2E33"),
    },
    strokes={
        "flow": Stroke("#2B2E33"),
        "residual": Stroke("#2B2E33"),
        "memory": Stroke("#B3261E"),
        "position": Stroke("#9C2F6B"),
        "tie": Stroke("#53575E", dashes="5 4"),
    },
    marks={"added": "#1A7F37", "changed": "#6B3FC0", "removed": "#B3261E"},
)
DARK = Theme(
    page="#16181C",
    ink="#EDEDF0",
    muted="#B9BDC6",
    frame=Paint("#1F2126", "#6A6E77"),
    inner_frame=Paint("#26282E", "#6A6E77"),
    looks={
        "attention": Paint("#4D3413", "#F0A44A"),
        "feed_forward": Paint("#173A56", "#6BB6EE"),
        "norm": Paint("#3F3D14", "#CFC45A"),
        "embedding": Paint("#4A2438", "#E07FB2"),
        "linear": Paint("#33353B", "#B9BCC4"),
        "position": Paint("#26282D", "#E07FB2"),
        "layers": Paint("#1F2126", "#6A6E77"),
        "other": Paint("#26282D", "#9A9DA3"),
        "sum": Paint("#26282D", "#C9CCD2"),
    },
    strokes={
        "flow": Stroke("#C9CCD2"),
        "residual": Stroke("#C9CCD2"),
        "memory": Stroke("#FF8A7A"),
        "position": Stroke("#E07FB2"),
        "tie": Stroke("#B9BDC6", dashes="5 4"),
    },
    marks={"added": "#4AC26B", "changed": "#B392F0", "removed": "#FF8A7A"},
)
PRINT = Theme(
    page="#FFFFFF",
    ink="#000000",
    muted="#333333",
    frame=Paint("#FFFFFF", "#777777"),
    inner_frame=Paint("#FFFFFF", "#777777"),
    looks={
        "attention": Paint("#D2D2D2", "#000000"),
        "feed_forward": Paint("#E8E8E8", "#000000"),
        "norm": Paint("#FFFFFF", "#000000"),
        "embedding": Paint("#F4F4F4", "#000000"),
        "linear": Paint("#F4F4F4", "#000000"),
        "position": Paint("#FFFFFF", "#000000"),
        "layers": Paint("#E8E8E8", "#000000"),
        "other": Paint("#FFFFFF", "#000000"),
        "sum": Paint("#FFFFFF", "#000000"),
    },
    strokes={
        "flow": Stroke("#000000"),
        "residual": Stroke("#000000"),
        "memory": Stroke("#000000", 2.2),
        "position": Stroke("#000000", 1.1, "1.5 2.5"),
        "tie": Stroke("#000000", dashes="5 4"),
    },
    marks={"added": "#000000", "changed": "#000000", "removed": "#000000"},
)
_THEMES = {"auto": LIGHT, "light": LIGHT, "dark": DARK, "print": PRINT}
SIGNS = {"added": "+", "changed": "≠", "removed": "−"}  # sign in the badge of a marked part


def theme(name: str) -> Theme:
    """The colours of a theme; `auto` has those of `light`, plus `dark_style`."""
    return _THEMES[name]


def dark_style() -> str:
    """CSS of `auto` for pages in dark mode."""
    rules = [
        f"text{{fill:{DARK.ink}}}text.small,text.name,text.title.count{{fill:{DARK.muted}}}",
        f".node>text.name{{fill:{DARK.ink}}}",
        f".frame>rect{{fill:{DARK.frame.fill};stroke:{DARK.frame.border}}}",
        f".inner>rect{{fill:{DARK.inner_frame.fill}}}",
    ]
    for name, stroke in DARK.strokes.items():
        rules.append(
            f".{name}>path{{stroke:{stroke.colour}}}.{name}>polygon{{fill:{stroke.colour}}}"
        )
    rules.append(f"text.memory{{fill:{DARK.strokes['memory'].colour}}}")
    for name, paint in DARK.looks.items():
        both = f".node.{name}>rect,.node.{name}>circle"
        rules.append(f"{both}{{fill:{paint.fill};stroke:{paint.border}}}")
        opened = f"fill:{DARK.looks['other'].fill};stroke:{paint.border}"
        rules.append(f".frame.module.{name}>rect{{{opened}}}")
    for name, colour in DARK.marks.items():
        own = f".marked.{name}"  # last, to override the other rules
        rules.append(f"{own}>rect.outline{{fill:none;stroke:{colour}}}")
        rules.append(f"{own}>circle.badge{{fill:{colour};stroke:none}}")
        rules.append(f"{own}>text.sign{{fill:{DARK.page}}}")
    return f"@media (prefers-color-scheme:dark){{{''.join(rules)}}}"
