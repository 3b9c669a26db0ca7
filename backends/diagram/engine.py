"""Render PNG and PDF; SVG, DOT and Mermaid need no renderer.

A PNG is the SVG rendered by `resvg-py`. A PDF is the DOT rendered by Graphviz, which `pygraphviz`
(2.0.4 or later) includes; otherwise the `graphviz` package runs `neato` from the PATH. Without
`resvg-py`, Graphviz renders PNG too.
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
    "a {format} needs Graphviz: run `pip install 'pygraphviz>=2.0.4'`, which includes it, or "
    "install Graphviz so that `neato` is on the PATH. An svg "
    "needs neither{more}"
)
DOTS_PER_INCH = 144


def png(drawing: Drawing) -> bytes:
    """The figure as a PNG. Raises DrawError if no renderer is installed."""
    if importlib.util.find_spec("resvg_py") is not None:
        if drawing.theme == "auto":
            drawing = replace(drawing, theme="light")  # no page to follow
        return rasterize(svg(drawing))
    return render(drawing, "png")


def render(drawing: Drawing, format: str) -> bytes:
    """Render `png` or `pdf` by Graphviz. Raises DrawError if it is not installed or fails."""
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
    """fontconfig settings with only our font, in a temporary folder.

    The fonts are copied there, because fontconfig writes files next to them.
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
    """Let Graphviz find the included font instead of system fonts.

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
    except (ImportError, OSError) as error:  # the package is installed, but not its library
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
    """Suppress warnings of an older fontconfig about newer system settings.

    It writes to stderr from C; other output is passed on.
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
    """Overwrite the creation date, so that equal figures have equal bytes."""
    return re.sub(
        rb"(/CreationDate \(D:)([0-9]+)", lambda m: m[1] + b"20000101000000"[: len(m[2])], pdf
    )
