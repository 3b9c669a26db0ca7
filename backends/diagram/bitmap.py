"""Convert an SVG to PNG."""

from __future__ import annotations

from .options import DrawError

MISSING = "a PNG needs resvg: `pip install resvg-py`; or draw an svg, which needs nothing"


def bitmap(svg: bytes) -> bytes:
    """The PNG of an SVG document. Raises DrawError where `resvg-py` is not installed."""
    from .raster import rasterize

    try:
        return rasterize(svg)
    except ImportError:
        raise DrawError(MISSING) from None
