"""Draw two models side by side, with their differences marked."""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ...compiler.change import Change, Path
from ...compiler.difference_text import Difference
from . import draw
from .bitmap import bitmap
from .drawing import Drawing
from .embed import SVG, embedded, written
from .figure import figure
from .options import DrawError, DrawOptions
from .palette import SIGNS, theme
from .svg import FONTS, number
from .text import clean, shorten

FORMATS = ("svg", "png")
GAP, HEAD, MARGIN = 36.0, 44.0, 14.0
TITLE, SMALL = 14.0, 10.5
MOST_LISTED = 40
OF_LAYERS = ("layers", "pattern", "d_model")
"""Keys of a stack without a box."""


def draw_difference(
    found: Difference, format: str = "svg", options: DrawOptions | None = None
) -> bytes:
    """Draw two models side by side, with their differences marked.

    Parts that were removed are marked in the first figure, added ones in the second, changed ones
    in both.

    found: the result of `difference`
    format: svg or png

    Raises DrawError for another format, and for models that cannot be drawn.
    """
    options = options or DrawOptions()
    if format not in FORMATS:
        raise DrawError(f"unknown format `{format}`; expected one of: {', '.join(FORMATS)}")
    if format == "png":
        light = "light" if options.theme == "auto" else options.theme
        return bitmap(_both(found, replace(options, theme=light)))
    return _both(found, options)


def marks(causes: Iterable[Sequence[Change]], drawn: Drawing, *, after: bool) -> dict[str, str]:
    """The marks of one figure: path -> added, changed or removed.

    Added and removed parts are marked as a whole; everything else is marked as changed. If one
    change affects several paths, those with a box are marked.
    """
    found: dict[str, str] = {}
    for cause in causes:
        pairs = [(c.after, c.before) if after else (c.before, c.after) for c in cause]
        pairs = [(side, other) for side, other in pairs if side.there]
        boxed = [(side, other) for side, other in pairs if _is_boxed(drawn, dotted(side.path))]
        for side, other in boxed or pairs:
            place = dotted(side.path)
            if any(place.startswith(f"{w}.") for w, kind in found.items() if kind != "changed"):
                continue
            alone = side.part and not other.part
            for one in _of_layers(drawn, place):
                found[one] = ("added" if after else "removed") if alone else "changed"
    return found


def _of_layers(drawn: Drawing, place: str) -> list[str]:
    """The path itself; for keys of all layers of a stack, the frames of its layers."""
    stack, _, key = place.rpartition(".")
    if key not in OF_LAYERS or stack.count(".") != 1:
        return [place]
    whole = [frame.spec for frame in drawn.frames if frame.spec == stack]
    blocks = [f.spec for f in drawn.frames if f.spec.startswith(f"{stack}.blocks.")]
    return whole or blocks or [place]


def dotted(path: Path) -> str:
    return ".".join(map(str, path))


def _is_boxed(drawn: Drawing, place: str) -> bool:
    """Whether the path belongs to a box, not to a frame of layers or a stack."""
    if any(box.spec.startswith(f"{place}.") for box in drawn.boxes):
        return True
    around = [p for p in drawn.parts() if p.spec and f"{place}.".startswith(f"{p.spec}.")]
    closest = max((p.spec for p in around), key=len, default="")
    frames = {frame.spec for frame in drawn.frames}
    return closest.count(".") > 1 and closest not in frames


def _both(found: Difference, options: DrawOptions) -> bytes:
    names = found.names
    marked = [
        marks(found.causes, figure(graph, options), after=new)
        for graph, new in zip(found.graphs, (False, True), strict=True)
    ]
    drawn = [
        draw(graph, "svg", replace(options, marks=places))
        for graph, places in zip(found.graphs, marked, strict=True)
    ]
    digest = hashlib.sha256("\n".join(names).encode() + b"".join(drawn)).hexdigest()
    page = f"difference-{digest[:8]}"  # unique ids for several figures in one page
    figures = [
        embedded(svg, f"{page}-{which}")
        for svg, which in zip(drawn, ("before", "after"), strict=True)
    ]
    sizes = [tuple(map(float, (f.get("viewBox") or "").split()[2:])) for f in figures]
    height = max(high for _, high in sizes)
    size = sum(wide for wide, _ in sizes) + GAP, HEAD + height + MARGIN
    root = _root(page, names, size, options)
    _described(root, page, found.changes)
    colours = theme(options.theme)
    x = 0.0
    for one, (wide, high), name in zip(figures, sizes, names, strict=True):
        _put(one, x, HEAD + height - high, wide, high)
        title = shorten(name, TITLE, wide - 2 * MARGIN)
        _words(root, title, x + wide / 2, 22, TITLE, colours.ink, bold=True)
        root.append(one)
        x += wide + GAP
    kinds = {kind for places in marked for kind in places.values()}
    legend = [f"{sign} {kind}" for kind, sign in SIGNS.items() if kind in kinds]
    _words(root, " · ".join(legend), (x - GAP) / 2, 22, SMALL, colours.muted)
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
    title.text = clean(f"{names[0]} and {names[1]}: differences")
    if options.theme == "auto":
        rule = f"#{page}>text{{fill:{theme('dark').ink}}}"
        ET.SubElement(
            root, f"{{{SVG}}}style"
        ).text = f"@media (prefers-color-scheme:dark){{{rule}}}"
    else:
        whole = {"width": "100%", "height": "100%", "fill": theme(options.theme).page}
        ET.SubElement(root, f"{{{SVG}}}rect", whole)
    return root


def _described(root: ET.Element, page: str, found: Sequence[Change]) -> None:
    """A description of the figure, for screen readers."""
    listed = [f"{c.path}: {c.before.text} and {c.after.text}" for c in found[:MOST_LISTED]]
    rest = len(found) - len(listed)
    words = "; ".join([*listed, f"{rest} more"] if rest else listed or ["nothing differs"])
    desc = ET.Element(f"{{{SVG}}}desc", {"id": f"{page}-description"})
    desc.text = clean(words)
    root.insert(1, desc)


def _put(figure: ET.Element, x: float, y: float, wide: float, high: float) -> None:
    """Position a figure in the page; both figures have the same baseline."""
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
