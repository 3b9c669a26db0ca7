"""Figures of attention maps: how much each query reads from each key.

draw_attention(maps)    up to six maps with their tokens, or a sheet of all layers and heads
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..bitmap import bitmap
from ..masks.colours import THEMES
from ..masks.svg import svg
from ..options import DrawError
from .heat import HeatMap
from .labelled import MOST_LABELLED, labelled
from .overview import MOST_MAPS, overview

FORMATS = ("svg", "png", "pdf")


@dataclass(frozen=True, kw_only=True)
class AttentionOptions:
    """How attention maps are drawn. Raises DrawError for an unknown theme.

    title    title of the figure
    theme    auto (follows the mode of the page), light, dark or print
    """

    title: str = "attention maps"
    theme: str = "auto"

    def __post_init__(self) -> None:
        if self.theme not in THEMES:
            raise DrawError(f"unknown theme `{self.theme}`; expected one of: {', '.join(THEMES)}")


def draw_heat_maps(
    maps: Sequence[HeatMap], format: str = "svg", options: AttentionOptions | None = None
) -> bytes:
    """Draw attention maps: up to six with their tokens, more as small panels by layer and head.

    Raises DrawError for an unknown format, no maps, and more maps than a sheet can show.
    """
    options = options or AttentionOptions()
    if format not in FORMATS:
        raise DrawError(f"unknown format `{format}`; expected one of: {', '.join(FORMATS)}")
    if not maps:
        raise DrawError("there are no attention maps to draw")
    if len(maps) > MOST_MAPS:
        raise DrawError(
            f"{len(maps):,} attention maps are too many for one figure; choose some of their "
            f"layers and heads, at most {MOST_MAPS:,} maps"
        )
    layout = labelled if len(maps) <= MOST_LABELLED else overview
    sheet = layout(options.title, maps)
    if format == "svg":
        return svg(sheet, options.theme)
    theme = "light" if options.theme == "auto" else options.theme
    if format == "png":
        return bitmap(svg(sheet, theme))
    from ..masks.pdf import pdf

    return pdf(sheet, theme)


__all__ = ["FORMATS", "AttentionOptions", "HeatMap", "draw_heat_maps"]
