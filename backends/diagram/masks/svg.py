"""Write a sheet of masks as SVG: a group for each panel, with one path per colour.

Ids and styles begin with a name derived from the content, so that several figures can be in one
page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise

from ....compiler.graph import Origin
from ..quoting import quoteattr
from ..svg import FONTS, text
from ..svg import number as two_digits
from ..text import clean
from .colours import HEAT, HOLES, PAINTS, TONES, tone
from .grid import Cell
from .sheet import Group, Patch, Sheet, Words

Place = Callable[[Origin], tuple[str, str]]
"""The dotted path of an origin, and its location."""


@lru_cache(maxsize=4096)
def number(value: float) -> str:
    """A formatted number; cached, since grids repeat few numbers."""
    return two_digits(value)


def svg(sheet: Sheet, theme: str = "auto", place: Place | None = None) -> bytes:
    """The document in UTF-8. `place` returns the origin of a panel in the spec."""
    body = [_group(group, theme, place) for group in sheet.groups]
    digest = hashlib.sha256("\n".join([sheet.title, theme, *body]).encode()).hexdigest()
    name = f"{sheet.kind}-{digest[:8]}"
    return "\n".join(_document(sheet, theme, name, body)).encode() + b"\n"


def _document(sheet: Sheet, theme: str, name: str, body: list[str]) -> Iterator[str]:
    width, height = number(sheet.width), number(sheet.height)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}pt" height="{height}pt" '
        f'viewBox="0 0 {width} {height}" id="{name}" class="modelwright-{sheet.kind}" role="img" '
        f'aria-labelledby="{name}-title {name}-description" font-family="{FONTS}">'
    )
    yield f'<title id="{name}-title">{text(sheet.title)}</title>'
    yield f'<desc id="{name}-description">{text(sheet.description)}</desc>'
    if theme == "auto":
        yield f"<style>{_dark(sheet, name)}</style>"
    else:
        yield f'<rect class="page" width="100%" height="100%" fill="{TONES[theme].page}"/>'
    for index, group in enumerate(body, 1):
        yield group.replace('id=""', f'id="{name}-{index}"', 1)
    yield "</svg>"


def _dark(sheet: Sheet, name: str) -> str:
    tones = TONES["dark"]
    rules = [f"#{name} text{{fill:{tones.muted}}}#{name} text.ink{{fill:{tones.ink}}}"]
    rules += [f"#{name} .on.{paint.name}{{fill:{paint.dark}}}" for paint in PAINTS]
    rules += [
        f"#{name} .{css}{{fill:{getattr(tones, css)}}}" for css in ("masked", "wasted", "padding")
    ]
    used = {patch.css for group in sheet.groups for patch in group.patches}
    rules += [f"#{name} .{css}{{fill:{tone(css, 'dark')}}}" for css in HEAT if css in used]
    return f"@media (prefers-color-scheme:dark){{{''.join(rules)}}}"


def _group(group: Group, theme: str, place: Place | None) -> str:
    data = ""
    if group.origin and place is not None:
        origin = dict(zip(("spec", "source"), place(group.origin), strict=True))
        data = "".join(f" data-{key}={quoteattr(clean(v))}" for key, v in origin.items() if v)
    inside = [_patch(patch, theme) for patch in group.patches]
    inside += [_words(words, theme) for words in group.words]
    head = f'<g class="{group.css}" id=""{data}><title>{text(group.tip)}</title>'
    return "\n".join([head, *inside, "</g>"])


def _patch(patch: Patch, theme: str) -> str:
    fill = tone(patch.tone, "light" if theme == "auto" else theme)
    path = "".join(_cell(cell, patch.hole) for cell in patch.cells)
    tip = f"<title>{text(patch.tip)}</title>" if patch.tip else ""
    inside = f">{tip}</path>" if tip else "/>"
    return f'<path class="{patch.css}" fill="{fill}" d="{path}"{inside}'


def _cell(cell: Cell, hole: str) -> str:
    x, y, wide, high = cell
    outline = f"M{number(x)} {number(y)}h{number(wide)}v{number(high)}h-{number(wide)}z"
    return outline + (_hole(cell, hole) if hole else "")


def _hole(cell: Cell, hole: str) -> str:
    """A hole, drawn in the opposite direction so that it is not filled."""
    x, y, wide, high = cell
    (first_x, first_y), *_ = points = HOLES[hole]
    steps = (
        f"l{number((b - a) * wide)} {number((d - c) * high)}" for (a, c), (b, d) in pairwise(points)
    )
    return f"M{number(x + first_x * wide)} {number(y + first_y * high)}{''.join(steps)}z"


def _words(words: Words, theme: str) -> str:
    x, y = number(words.x), number(words.y)
    fill = tone(words.tone, "light" if theme == "auto" else theme)
    bold = ' font-weight="bold"' if words.bold else ""
    turned = f' transform="rotate(-90 {x} {y})"' if words.turned else ""
    return (
        f'<text class="{words.tone}" x="{x}" y="{y}" font-size="{number(words.size)}" '
        f'text-anchor="{words.anchor}" fill="{fill}"{bold}{turned}>{text(words.text)}</text>'
    )
