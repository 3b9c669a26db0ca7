"""Figures of a model, from its graph: no weights, no torch; the size does not depend on the
depth.
"""

from __future__ import annotations

from collections.abc import Callable

from ...compiler.graph import ModuleGraph
from .drawing import Drawing
from .figure import figure
from .options import DEPTHS, DrawError, DrawOptions
from .svg import svg


def _dot(drawing: Drawing) -> bytes:
    from .dot import dot

    return dot(drawing).encode()


def _mermaid(drawing: Drawing) -> bytes:
    from .mermaid import mermaid

    return mermaid(drawing).encode()


def _png(drawing: Drawing) -> bytes:
    from .engine import png

    return png(drawing)


def _pdf(drawing: Drawing) -> bytes:
    from .engine import render

    return render(drawing, "pdf")


_WRITERS: dict[str, Callable[[Drawing], bytes]] = {
    "svg": svg,
    "png": _png,
    "pdf": _pdf,
    "dot": _dot,
    "mmd": _mermaid,
}
FORMATS = tuple(_WRITERS)


def draw(graph: ModuleGraph, format: str = "svg", options: DrawOptions | None = None) -> bytes:
    """Draw a model: each kind of block once, in a frame with the number of layers.

    `format` is svg, png, pdf, dot (with all positions, for `neato -n2`) or mmd (Mermaid). Equal
    graphs and options give equal bytes. Raises DrawError for an unknown format, and for png and pdf
    if their renderer is not installed.
    """
    if format not in _WRITERS:
        raise DrawError(f"unknown format `{format}`; expected one of: {', '.join(FORMATS)}")
    return _WRITERS[format](figure(graph, options))


__all__ = ["DEPTHS", "FORMATS", "DrawError", "DrawOptions", "draw"]
