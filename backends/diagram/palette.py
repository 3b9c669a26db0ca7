"""Colours: fill and border of each look, by light and by dark. Borders differ for colour blindness;
no colour carries a meaning that words do not."""

from __future__ import annotations

from typing import NamedTuple

INK, MUTED, MEMORY = "#2b2e33", "#53575e", "#B3261E"
FRAME = ("#F4F4F6", "#A3A6AC")
INNER_FRAME = ("#FBFBFC", "#A3A6AC")


class Colours(NamedTuple):
    fill: str
    border: str
    dark_fill: str
    dark_border: str


LOOK_COLOURS: dict[str, Colours] = {
    "attention": Colours("#FFD49A", "#C25400", "#4d3413", "#f0a44a"),
    "feed_forward": Colours("#BBDCF5", "#0A5FA5", "#173a56", "#6bb6ee"),
    "norm": Colours("#FDF9D8", "#A69A2B", "#3f3d14", "#cfc45a"),
    "embedding": Colours("#F6CFE0", "#9C2F6B", "#4a2438", "#e07fb2"),
    "linear": Colours("#E4E4E8", "#3E4046", "#33353b", "#b9bcc4"),
    "position": Colours("#FFFFFF", "#9C2F6B", "#26282d", "#e07fb2"),
    "layers": Colours("#F4F4F6", "#A3A6AC", "#1f2126", "#5c6068"),
    "other": Colours("#FFFFFF", "#55585E", "#26282d", "#9a9da3"),
    "sum": Colours("#FFFFFF", "#2b2e33", "#26282d", "#c9ccd2"),
}
EDGE_COLOURS = {"memory": MEMORY, "tie": MUTED, "position": "#9C2F6B"}
