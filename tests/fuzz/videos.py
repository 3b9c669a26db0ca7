"""Videos in place of some images, with positions on three axes in place of others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .dice import Dice, seeded

Data = dict[str, Any]
GRIDS = ("sinusoidal", "rotary")
LATER = ("'mla'", "'linear'", "'fastformer'", "'collaborative'")
"""What rotary positions with three axes cannot be combined with."""


def make_video(stack: Data, turned: int, said: set[tuple[str, str, str]]) -> bool:
    """Turn the image of a stack into a video, sometimes; whether it did.

    turned: the width of a head
    """
    source, dice = stack.get("input"), seeded(len(repr(stack)) + 5)
    if not isinstance(source, dict) or source.get("type") != "patches" or not dice.often(0.8):
        return False
    if any(word in repr(stack) for word in LATER):
        return False
    tables = [one for one in _parts(stack) if one.get("type") == "relative_table"]
    if repr(stack).count("'relative_table'") > len(tables):  # the others are words
        return False
    if "'positions'" not in repr(stack) and dice.often(0.7):
        stack["positions"] = [{"type": "sinusoidal"}]
    places = [one for one in _parts(stack) if one.get("type") in GRIDS]
    fits = [_width(one, stack["d_model"], turned) >= 6 + 6 * _is_narrower(one) for one in places]
    if not all(fits) and "registers" in source:  # which have no position in a sequence
        return False
    source.pop("stride", None)
    source |= {"layout": "video", "frames": dice.one((3, 5)), "tubelet_size": dice.one((2, 1))}
    said |= {("Patches", key, repr(source[key])) for key in ("layout", "frames", "tubelet_size")}
    for one in tables:
        one["axes"] = 3
        said.add(("RelativeTable", "axes", "3"))
    for one, wide in zip(places, fits, strict=True):
        for key in ("coordinates", "axes", "order", "scaling"):
            one.pop(key, None)
        if wide:
            width = _width(one, stack["d_model"], turned)
            one |= {"axes": 3, "widths": _shares(width, 2 + 2 * _is_narrower(one), dice)}
            kind = str(one["type"]).capitalize()
            said |= {(kind, "axes", "3"), (kind, "widths", repr(one["widths"]))}
    return True


def _parts(value: Any) -> Iterator[Data]:
    """A part and all parts inside."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    for one in value if isinstance(value, list) else ():
        yield from _parts(one)


def _width(one: Data, d_model: int, turned: int) -> int:
    """The number of features that the axes of positions share."""
    return d_model if one["type"] == "sinusoidal" else round(turned * one.get("fraction", 1))


def _is_narrower(one: Data) -> bool:
    """Whether its sinusoids need two pairs for each axis."""
    return one.get("denominator") == "half_minus_one"


def _shares(width: int, least: int, dice: Dice) -> list[int]:
    """Even numbers for frame, row and column that add up to the width."""
    first = dice.one((least, max(least, width - 2 * least)))
    second = dice.one((least, max(least, width - first - least)))
    return [first, second, width - first - second]
