"""The content of opened modules."""

from __future__ import annotations

from .arrange import Column, Fork
from .knots import Woven
from .part import Part
from .parts import Parts
from .sizes import inner_size


def open_modules(parts: Parts, column: Column, *, mirrored: bool) -> None:
    """Lay out the content of each opened module of a column, which may be mirrored later."""
    for item in column:
        if isinstance(item, Fork):
            for branch in item.branches:
                open_modules(parts, branch, mirrored=mirrored)
        elif item.part.form == "opened":
            item.part.inner = _woven(parts, item.part, mirrored=mirrored)


def _woven(parts: Parts, module: Part, *, mirrored: bool) -> Woven:
    from .weave import weave

    inside = parts.order(module.key)
    main = main_source(parts, module)
    sources = [main] if main else []
    inputs: dict[str, list[str]] = {}
    for part in inside:
        inputs[part.key] = [*part.inputs, *part.outside]
        sources += [source for source in part.outside if source not in sources]
    sizes = {part.key: inner_size(part) for part in inside}
    widest = max((sizes[p.key][0] for p in inside if _plain_box(p)), default=0.0)
    for part in inside:
        if _plain_box(part):
            sizes[part.key] = (widest, sizes[part.key][1])
    circles = frozenset(part.key for part in inside if part.form in ("circle", "wave"))
    result = parts.regions[module.key].result
    return weave(sizes, inputs, sources, result, circles, mirrored=mirrored)


def _plain_box(part: Part) -> bool:
    return part.form == "box" and part.look in ("linear", "norm")


def main_source(parts: Parts, module: Part) -> str:
    """The main input of a module, or ""."""
    inside = parts.regions[module.key].parts
    read = [source for part in inside for source in part.outside]
    return next((source for source in read if source in module.inputs), "")
