"""PNG from SVG, by `resvg-py` and a font that comes along: the same picture on every machine.

System fonts are not asked: a machine without any would drop all words and say nothing.
"""

from __future__ import annotations

from pathlib import Path

from .options import DrawError

FONT = "Figure Sans"
FONTS = tuple(sorted((Path(__file__).parent / "fonts").glob("*.ttf")))
ZOOM = 1.5  # of 96 dots per inch: two dots for each point


def rasterize(svg: bytes) -> bytes:
    """The PNG of an SVG document. Raises ImportError where `resvg-py` is not installed."""
    import resvg_py

    try:
        drawn: bytes = resvg_py.svg_to_bytes(
            svg_string=svg.decode(),
            dpi=96.0,
            zoom=ZOOM,
            skip_system_fonts=True,
            font_files=[str(path) for path in FONTS],
            font_family=FONT,
            sans_serif_family=FONT,
        )
    except ValueError as error:
        raise DrawError(f"resvg could not draw the PNG: {error}") from None
    return bytes(drawn)
