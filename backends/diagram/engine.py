"""The one door to Graphviz: PNG and PDF from DOT whose places are given.

`pygraphviz` (2.0.4 and later) brings Graphviz along; without it a `neato` on the PATH is run by the
`graphviz` package. SVG, DOT and Mermaid need neither.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from .options import DrawError

MISSING = (
    "a {format} needs Graphviz, and none is here. Either `pip install 'pygraphviz>=2.0.4'`, which "
    "brings it along, or install Graphviz so that `neato` is on the PATH; or draw an svg, which "
    "needs neither"
)
DOTS_PER_INCH = 144


def render(source: str, format: str) -> bytes:
    """The figure as `png` or `pdf`. Raises DrawError when there is no engine, or when it fails."""
    if importlib.util.find_spec("pygraphviz") is not None:
        drawn = _with_pygraphviz(source, format)
    elif shutil.which("neato"):
        drawn = _with_program(source, format)
    else:
        raise DrawError(MISSING.format(format=format.upper()))
    if not drawn:
        raise DrawError(f"Graphviz gave an empty {format.upper()}")
    return _without_date(drawn) if format == "pdf" else drawn


def _with_pygraphviz(source: str, format: str) -> bytes:
    try:
        import pygraphviz
    except (ImportError, OSError) as error:  # the package is there, the library it needs is not
        if shutil.which("neato"):
            return _with_program(source, format)
        raise DrawError(f"{MISSING.format(format=format.upper())} ({error})") from None
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
