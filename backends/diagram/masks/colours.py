"""Colours of mask cells by the predicate that allows a pair, with different lightness and patterns.

A pattern is a hole in the cell. It distinguishes predicates in greyscale and for colour-blind
readers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ....compiler.formula import Atom, Formula

THEMES = ("auto", "light", "dark", "print")


class Paint(NamedTuple):
    """The colours of a category, and the hole in its cells."""

    name: str
    light: str
    dark: str
    grey: str
    hole: str = ""


PAINTS = (
    Paint("local", "#0A5FA5", "#4FA3E3", "#2E2E2E"),
    Paint("global", "#D2691E", "#F2A65A", "#757575", "square"),
    Paint("random", "#2E9E74", "#5FD0A5", "#9A9A9A", "diamond"),
    Paint("documents", "#7A4E9E", "#B58AE0", "#545454", "bar"),
    Paint("stride", "#B3861A", "#E3C15A", "#8A8A8A", "column"),
    Paint("rest", "#B04A6E", "#E58FB0", "#636363", "corner"),
)

HOLES = {  # corners in fractions of a cell, counterclockwise
    "square": ((0.34, 0.34), (0.34, 0.66), (0.66, 0.66), (0.66, 0.34)),
    "diamond": ((0.5, 0.23), (0.23, 0.5), (0.5, 0.77), (0.77, 0.5)),
    "bar": ((0.16, 0.4), (0.16, 0.6), (0.84, 0.6), (0.84, 0.4)),
    "column": ((0.4, 0.16), (0.4, 0.84), (0.6, 0.84), (0.6, 0.16)),
    "ring": ((0.18, 0.18), (0.18, 0.82), (0.82, 0.82), (0.82, 0.18)),
    "corner": ((1.0, 0.0), (0.5, 0.0), (1.0, 0.5)),
}

ROLES = {  # predicate -> paint
    "causal": "local",
    "full": "local",
    "window": "local",
    "band": "local",
    "blocks": "local",
    "fixed": "local",
    "strided": "global",
    "prefix": "global",
    "global": "global",
    "keys": "global",
    "queries": "stride",
    "random": "random",
    "documents": "documents",
}
SAYS_MORE = ("random", "global", "prefix", "strided", "keys", "queries", "documents", "fixed")
"""The predicate that determines the paint of a term: the first of these, else its last one."""


class Tones(NamedTuple):
    """The other colours of a theme."""

    ink: str
    muted: str
    masked: str
    wasted: str
    padding: str
    page: str


TONES = {
    "light": Tones("#17181B", "#53575E", "#ECEDF0", "#C3C7CF", "#D98C84", "#FFFFFF"),
    "dark": Tones("#EDEDF0", "#B9BDC6", "#2A2D33", "#4A4F59", "#9A5650", "#16181C"),
    "print": Tones("#000000", "#333333", "#EFEFEF", "#CFCFCF", "#9A9A9A", "#FFFFFF"),
}


STEPS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)
"""Lower limits of the steps in which attention weights are coloured."""

HEAT = tuple(f"heat{step}" for step in range(len(STEPS)))
_HEATS = {
    "light": "F7FAFD E3EDF7 CFE1F2 B0D2E8 8ABFDD 60A7D2 3E8EC4 2373B3 0D5299 08306B",
    "dark": "1A2029 1C2C3E 1F3A55 24496C 2D5C88 3A72A6 508DC4 74A9DB A5CAEC E6F2FC",
    "print": "FAFAFA EDEDED DEDEDE CACACA B3B3B3 989898 7B7B7B 5E5E5E 3C3C3C 141414",
}
"""Colours of the steps, of increasing contrast to the page."""


def tone(name: int | str, theme: str) -> str:
    """The colour of a patch: an index of `PAINTS`, a step of `HEAT`, or a name of `Tones`."""
    if isinstance(name, int):
        return colour(PAINTS[name], theme)
    if name in HEAT:
        return f"#{_HEATS[theme].split()[HEAT.index(name)]}"
    return str(getattr(TONES[theme], name))


def colour(paint: Paint, theme: str) -> str:
    return {"dark": paint.dark, "print": paint.grey}.get(theme, paint.light)


def preferred(term: Sequence[Formula]) -> int:
    """The preferred paint of a term, as an index of `PAINTS`."""
    names = [literal.name for literal in term if isinstance(literal, Atom)]
    telling = [name for name in SAYS_MORE if name in names]
    role = ROLES[telling[0] if telling else names[-1]] if names else "rest"
    return [paint.name for paint in PAINTS].index(role)


def share_out(panels: Sequence[Sequence[tuple[str, int]]]) -> dict[str, int]:
    """Choose a paint for each label: the preferred one, unless another label of a panel has it.

    Labels have the same paint in all panels. After the last paint, paints repeat.
    """
    found: dict[str, int] = {}
    for panel in panels:
        for label, wanted in panel:
            if label in found:
                continue
            beside = {other for each in panels if label in dict(each) for other, _ in each}
            beside = {other for other in beside if not _alike(label, other)}
            taken = {found[other] for other in beside if other in found}
            free = [index for index in range(len(PAINTS)) if index not in taken]
            found[label] = wanted if wanted in free or not free else free[0]
    return found


def _alike(label: str, other: str) -> bool:
    """Whether two labels can share a colour, such as two ranges of global tokens."""
    return label.startswith("global(") and other.startswith("global(")
