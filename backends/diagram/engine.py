"""The one door to what draws PNG and PDF. SVG, DOT and Mermaid need none of it.

A PNG is the SVG, drawn by `resvg-py`. A PDF is the DOT, whose places are given, drawn by Graphviz:
`pygraphviz` (2.0.4 and later) brings it along; without that a `neato` on the PATH is run by the
`graphviz` package. Where `resvg-py` is missing Graphviz draws the PNG too.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

from .dot import dot
from .drawing import Drawing
from .options import DrawError
from .quoting import escape
from .raster import FONT, FONTS, rasterize
from .svg import svg

MISSING = (
    "a {format} needs Graphviz, and none is here. Either `pip install 'pygraphviz>=2.0.4'`, which "
    "brings it along, or install Graphviz so that `neato` is on the PATH; or draw an svg, which "
    "needs neither{more}"
)
DOTS_PER_INCH = 144


def png(drawing: Drawing) -> bytes:
    """The figure as a PNG. Raises DrawError when nothing is here that could draw it."""
    if importlib.util.find_spec("resvg_py") is not None:
        if drawing.theme == "auto":
            drawing = replace(drawing, theme="light")  # a page without a reader
        return rasterize(svg(drawing))
    return render(drawing, "png")


def render(drawing: Drawing, format: str) -> bytes:
    """The figure as `png` or `pdf` by Graphviz. Raises DrawError when none is here, or it fails."""
    source = dot(drawing, FONT, whole_page=True)
    with own_fonts():
        if importlib.util.find_spec("pygraphviz") is not None:
            drawn = _with_pygraphviz(source, format)
        elif shutil.which("neato"):
            drawn = _with_program(source, format)
        else:
            raise DrawError(_missing(format))
    if not drawn:
        raise DrawError(f"Graphviz gave an empty {format.upper()}")
    return _without_date(drawn) if format == "pdf" else drawn


@cache
def _settings() -> Path:
    """Settings of fontconfig that name our font alone, in a folder that goes when Python does.

    The fonts are copied there, for fontconfig writes beside those that it reads.
    """
    folder = tempfile.mkdtemp(prefix="modelwright-fonts-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for font in FONTS:
        shutil.copy(font, folder)
    settings = Path(folder) / "fonts.conf"
    where = f"<dir>{escape(folder)}</dir><cachedir>{escape(folder)}</cachedir>"
    settings.write_text(f"<fontconfig>{where}</fontconfig>", encoding="utf-8")
    return settings


@contextmanager
def own_fonts() -> Iterator[None]:
    """Let Graphviz find the font that comes along, so that it needs none of the system's.

    fontconfig reads its settings once in a process, from the file that this variable names.
    """
    before = os.environ.get("FONTCONFIG_FILE")
    os.environ["FONTCONFIG_FILE"] = before or str(_settings())
    try:
        yield
    finally:
        if before is None:
            del os.environ["FONTCONFIG_FILE"]


def _missing(format: str) -> str:
    more = ". `pip install resvg-py` is enough for a PNG" if format == "png" else ""
    return MISSING.format(format=format.upper(), more=more)


def _with_pygraphviz(source: str, format: str) -> bytes:
    try:
        import pygraphviz
    except (ImportError, OSError) as error:  # the package is there, the library it needs is not
        if shutil.which("neato"):
            return _with_program(source, format)
        raise DrawError(f"{_missing(format)} ({error})") from None
    options = f"-Gdpi={DOTS_PER_INCH}" if format == "png" else ""
    try:
        with _without_font_warnings():
            drawn: bytes = pygraphviz.AGraph(string=source).draw(
                format=format, prog="nop2", args=options
            )
    except (OSError, ValueError) as error:
        raise DrawError(f"Graphviz could not draw the {format.upper()}: {error}") from None
    return drawn


@contextmanager
def _without_font_warnings() -> Iterator[None]:
    """Keep to itself what an older fontconfig says of a newer system's settings.

    It writes to the process's stderr from C; all else that is written there is passed on.
    """
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            kept.seek(0)
            for line in kept:
                if not line.startswith(b"Fontconfig warning"):
                    os.write(2, line)


def _with_program(source: str, format: str) -> bytes:
    import graphviz

    figure = graphviz.Source(source, engine="neato", format=format)
    if format == "png":
        source = source.replace("{", f"{{ graph [dpi={DOTS_PER_INCH}]", 1)
        figure = graphviz.Source(source, engine="neato", format=format)
    try:
        drawn: bytes = figure.pipe(neato_no_op=2, quiet=True)
    except (graphviz.CalledProcessError, graphviz.ExecutableNotFound) as error:
        raise DrawError(f"Graphviz could not draw the {format.upper()}: {error}") from None
    return drawn


def _without_date(pdf: bytes) -> bytes:
    """Same figure, same bytes: the date of drawing is overwritten, its length kept."""
    return re.sub(
        rb"(/CreationDate \(D:)([0-9]+)", lambda m: m[1] + b"20000101000000"[: len(m[2])], pdf
    )
