"""Convert SVG to PNG by `resvg-py` and the included font, with the same result on all machines.

System fonts are not used, because text would be missing on machines without fonts.
"""

from __future__ import annotations

from pathlib import Path

from .options import DrawError

FONT = "Figure Sans"
FONTS = tuple(sorted((Path(__file__).parent / "fonts").glob("*.ttf")))
ZOOM = 1.5  # relative to 96 dots per inch: two dots per point


def rasterize(svg: bytes) -> bytes:
    """The PNG of an SVG document. Raises ImportError if `resvg-py` is not installed."""
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
