"""Display of specs, graphs and masks as figures in notebooks.

These classes do not import drawing code. The root of the package registers a drawing function for
each class before other modules are imported.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

Drawer = Callable[[Any], bytes | None]

_drawers: dict[str, Drawer] = {}


def draw_with(drawers: dict[str, Drawer]) -> None:
    """Register functions by class name; each returns an SVG, or None if it cannot draw."""
    _drawers.update(drawers)


class Displayed:
    """Base class of objects that notebooks show as a figure, or as text if it cannot be drawn."""

    def _repr_svg_(self) -> str | None:
        """The figure as SVG; its ids and styles do not affect the rest of the page."""
        for cls in type(self).__mro__:
            if (draw := _drawers.get(cls.__name__)) is not None:
                svg = draw(self)
                return None if svg is None else svg.decode()
        return None

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        """The figure and the text, as requested by the front end."""
        bundle = {"text/plain": repr(self)}
        if (svg := self._repr_svg_()) is not None:
            bundle["image/svg+xml"] = svg
        return {
            kind: data
            for kind, data in bundle.items()
            if (not include or kind in include) and kind not in (exclude or ())
        }
