"""Figures of specs, graphs and masks for notebooks.

Each figure in a page has unique ids, made from a hash of its content and a counter.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

from .display import draw_with

if TYPE_CHECKING:
    from .compiler import ModuleGraph
    from .compiler.formula import AnyMask
    from .spec import ModelSpec

_shown: Counter[str] = Counter()


def _page_name(svg: bytes) -> str:
    """`figure-3fa1c2d4`, and `figure-3fa1c2d4-2` for the same figure again."""
    digest = hashlib.sha256(svg).hexdigest()[:8]
    _shown[digest] += 1
    again = _shown[digest]
    return f"figure-{digest}" if again == 1 else f"figure-{digest}-{again}"


def _of_graph(graph: ModuleGraph) -> bytes | None:
    from .backends.diagram import DrawError, draw

    try:
        return _apart(draw(graph))
    except DrawError:
        return None


def _of_spec(spec: ModelSpec) -> bytes | None:
    from .compiler import lower
    from .spec.support import refusals

    if any(refusals(spec)):  # a spec that was loaded without `check_support`
        return None
    return _of_graph(lower(spec))


def _of_mask(mask: AnyMask) -> bytes | None:
    from .backends.diagram.masks import draw_mask

    return _apart(draw_mask(mask))


def _apart(svg: bytes) -> bytes:
    from .backends.diagram.embed import embedded, written

    return written(embedded(svg, _page_name(svg)))


draw_with({"ModelSpec": _of_spec, "ModuleGraph": _of_graph, "Mask": _of_mask, "Formula": _of_mask})
