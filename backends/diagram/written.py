"""Origin of a part of a figure in the spec."""

from __future__ import annotations

from ...compiler.graph import ModuleGraph, Origin


def written(graph: ModuleGraph, origin: Origin) -> tuple[str, str]:
    """The dotted path in the resolved spec, and its location: `gpt2.yaml:12`.

    A default has the location of the enclosing part; "" if there is none.
    """
    place = ".".join(map(str, origin))
    mark = graph.source.written(origin)
    if mark is None or not mark.line:
        return place, ""
    file = mark.file.replace("\\", "/").rpartition("/")[2]  # the spec, or what it extends
    return place, f"{file}:{mark.line}"
