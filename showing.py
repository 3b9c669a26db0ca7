"""How specs, graphs and masks show themselves in a notebook: as their figure.

They stand below those who draw, and know nothing of them. The root of the package knows both: it
says here who draws what, before anything else of the package is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

Drawer = Callable[[Any], bytes | None]

_drawers: dict[str, Drawer] = {}


def draw_with(drawers: dict[str, Drawer]) -> None:
    """Say who draws: the name of a class, and what makes an SVG of its objects (None: cannot)."""
    _drawers.update(drawers)


class Shown:
    """Has a figure, where somebody can draw it; the front end shows its text where nobody can."""

    def _repr_svg_(self) -> str | None:
        """The figure; its ids and its style are its own, whatever else stands in the page."""
        for cls in type(self).__mro__:
            if (draw := _drawers.get(cls.__name__)) is not None:
                svg = draw(self)
                return None if svg is None else svg.decode()
        return None

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        """The figure and the text, as far as the front end asks for them."""
        bundle = {"text/plain": repr(self)}
        if (svg := self._repr_svg_()) is not None:
            bundle["image/svg+xml"] = svg
        return {
            kind: data
            for kind, data in bundle.items()
            if (not include or kind in include) and kind not in (exclude or ())
        }
