"""The figures of a lecture: displayed in a notebook, and collected for its page."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """An SVG, its name, and what it shows in words."""

    name: str
    svg: bytes
    alt: str


SHOWN: list[Figure] = []


def figure(name: str, svg: bytes, alt: str) -> None:
    """Show a figure here."""
    SHOWN.append(Figure(name, svg, alt))
    with suppress(ImportError):
        from IPython import get_ipython
        from IPython.display import SVG, display

        if get_ipython() is not None:
            display(SVG(svg))
