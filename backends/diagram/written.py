"""Where in the spec a part of a figure comes from."""

from __future__ import annotations

from ...compiler.graph import ModuleGraph, Origin


def written(graph: ModuleGraph, origin: Origin) -> tuple[str, str]:
    """The dotted place in the resolved spec, and the line that says it: `gpt2.yaml:12`.

    The line of a default is that of the part which it stands in. "" for what no text says.
    """
    place = ".".join(map(str, origin))
    mark = graph.source.written(origin)
    if mark is None or not mark.line:
        return place, ""
    file = mark.file.replace("\\", "/").rpartition("/")[2]  # the spec, or what it extends
    return place, f"{file}:{mark.line}"
