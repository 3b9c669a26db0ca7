"""Two models side by side, with the parts that differ marked in each."""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ...compiler.difference import Change, every_change
from ...compiler.graph import ModuleGraph
from . import draw
from .bitmap import bitmap
from .embed import SVG, embedded, written
from .options import DrawError, DrawOptions
from .palette import SIGNS, theme
from .svg import FONTS, number
from .text import clean, shorten

FORMATS = ("svg", "png")
GAP, HEAD, MARGIN = 36.0, 44.0, 14.0
TITLE, SMALL = 14.0, 10.5
MOST_TOLD = 40


def draw_difference(
    before: ModuleGraph,
    after: ModuleGraph,
    names: tuple[str, str],
    format: str = "svg",
    options: DrawOptions | None = None,
) -> bytes:
    """Both figures beside each other; what is gone is marked in the first, what is new in the
    second, what changed in both.

    Raises DrawError for a format that is no svg or png, and where none of them can be drawn.
    """
    options = options or DrawOptions()
    if format not in FORMATS:
        raise DrawError(f"no format `{format}`: it is one of {', '.join(FORMATS)}")
    if format == "png":
        light = "light" if options.theme == "auto" else options.theme
        return bitmap(_both(before, after, names, replace(options, theme=light)))
    return _both(before, after, names, options)


def marks(changes: Iterable[Change], *, after: bool) -> dict[str, str]:
    """What to mark in the figure of one side: the place and what happened to it.

    A part that is new, or gone, is marked as that and not by its keys; all else has changed.
    """
    found: dict[str, str] = {}
    for change in changes:
        side, other = (change.after, change.before) if after else (change.before, change.after)
        if not side.there:
            continue
        place = ".".join(map(str, side.path))
        if any(place.startswith(f"{whole}.") for whole, kind in found.items() if kind != "changed"):
            continue
        alone = side.part and not other.part
        found[place] = ("added" if after else "removed") if alone else "changed"
    return found


def _both(
    before: ModuleGraph, after: ModuleGraph, names: tuple[str, str], options: DrawOptions
) -> bytes:
    changes = every_change(before.spec, after.spec)
    drawn = [
        draw(graph, "svg", replace(options, marks=marks(changes, after=new)))
        for graph, new in ((before, False), (after, True))
    ]
    digest = hashlib.sha256("\n".join(names).encode() + b"".join(drawn)).hexdigest()
    page = f"difference-{digest[:8]}"  # so that two of them can stand in one page
    figures = [
        embedded(svg, f"{page}-{which}")
        for svg, which in zip(drawn, ("before", "after"), strict=True)
    ]
    sizes = [tuple(map(float, (f.get("viewBox") or "").split()[2:])) for f in figures]
    height = max(high for _, high in sizes)
    size = sum(wide for wide, _ in sizes) + GAP, HEAD + height + MARGIN
    root = _root(page, names, size, options)
    _described(root, page, changes)
    colours = theme(options.theme)
    x = 0.0
    for figure, (wide, high), name in zip(figures, sizes, names, strict=True):
        _put(figure, x, HEAD + height - high, wide, high)
        title = shorten(name, TITLE, wide - 2 * MARGIN)
        _words(root, title, x + wide / 2, 22, TITLE, colours.ink, bold=True)
        root.append(figure)
        x += wide + GAP
    kinds = {kind for new in (False, True) for kind in marks(changes, after=new).values()}
    said = [f"{sign} {kind}" for kind, sign in SIGNS.items() if kind in kinds]
    _words(root, " · ".join(said), (x - GAP) / 2, 22, SMALL, colours.muted)
    return written(root)


def _root(
    page: str, names: tuple[str, str], size: tuple[float, float], options: DrawOptions
) -> ET.Element:
    width, height = size
    root = ET.Element(
        f"{{{SVG}}}svg",
        {
            "width": f"{number(width)}pt",
            "height": f"{number(height)}pt",
            "viewBox": f"0 0 {number(width)} {number(height)}",
            "id": page,
            "role": "img",
            "aria-labelledby": f"{page}-title {page}-description",
            "font-family": FONTS,
        },
    )
    title = ET.SubElement(root, f"{{{SVG}}}title", {"id": f"{page}-title"})
    title.text = clean(f"{names[0]} and {names[1]}: what differs")
    if options.theme == "auto":
        rule = f"#{page}>text{{fill:{theme('dark').ink}}}"
        ET.SubElement(
            root, f"{{{SVG}}}style"
        ).text = f"@media (prefers-color-scheme:dark){{{rule}}}"
    else:
        whole = {"width": "100%", "height": "100%", "fill": theme(options.theme).page}
        ET.SubElement(root, f"{{{SVG}}}rect", whole)
    return root


def _described(root: ET.Element, page: str, changes: Sequence[Change]) -> None:
    """The figure in words, for those who do not see it."""
    told = [f"{c.path}: {c.before.text} and {c.after.text}" for c in changes[:MOST_TOLD]]
    rest = len(changes) - len(told)
    words = "; ".join([*told, f"{rest} more"] if rest else told or ["nothing differs"])
    desc = ET.Element(f"{{{SVG}}}desc", {"id": f"{page}-description"})
    desc.text = clean(words)
    root.insert(1, desc)


def _put(figure: ET.Element, x: float, y: float, wide: float, high: float) -> None:
    """Give a figure its place in the page; two figures stand on one line."""
    places = {"x": x, "y": y, "width": wide, "height": high}
    for key, value in places.items():
        figure.set(key, number(value))


def _words(
    root: ET.Element, text: str, x: float, y: float, size: float, fill: str, bold: bool = False
) -> None:
    attributes = {
        "x": number(x),
        "y": number(y),
        "font-size": number(size),
        "text-anchor": "middle",
        "fill": fill,
    }
    if bold:
        attributes["font-weight"] = "bold"
    ET.SubElement(root, f"{{{SVG}}}text", attributes).text = text
