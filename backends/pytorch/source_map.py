"""The source map of an emitted file: from each line to ops, modules and the spec.

Version 2. `lines` has an entry for every line below the imports, with

    line    its number, from 1
    ops     the numbers of all ops that it is there for
    scopes  the modules that it makes or calls, by their paths; if there are neither these nor ops,
            the module that it belongs to; "" is the model
    spec    the paths of the resolved spec that asked for it: those of its ops, of the sizes that
            it reads, and of its modules
    source  where the first of them was written: file, line and column, and where it ends

`ops` and `scopes` hold what the numbers and the paths mean.
"""

from __future__ import annotations

from typing import Any

from ...compiler.graph import ModuleGraph, Op
from .code.layout import Printed
from .code.nodes import Origins

VERSION = 2
Table = dict[str, Any]


def source_map(
    graph: ModuleGraph, lines: list[Printed], offset: int, lowered: ModuleGraph
) -> Table:
    """The map of these lines, which stand behind `offset` others in the file.

    lowered: the graph before passes, whose ops may be merged into others in `graph`
    """

    def op_of(number: int) -> Op:
        return (graph if number in graph else lowered).op(number)

    entries = []
    ops: dict[str, Table] = {}
    scopes: dict[str, Table] = {}
    places: dict[Any, Table | None] = {}
    for number, line in enumerate(lines, start=offset + 1):
        origins = line.origins
        if not origins:
            continue
        own = sorted(o for o in origins if isinstance(o, int) and (o in graph or o in lowered))
        paths = sorted(o for o in origins if isinstance(o, str))
        for op in own:
            found = op_of(op)
            ops.setdefault(str(op), {"kind": found.kind, "scope": found.scope, "name": found.name})
        for path in paths:
            scopes.setdefault(path, {"role": graph.scopes[path].role})
        asked = _asked(graph, [op_of(op) for op in own], paths, origins)
        entry: Table = {"line": number, "ops": own, "scopes": paths}
        entry["spec"] = [".".join(map(str, origin)) for origin in asked]
        if asked:
            if asked[0] not in places:
                places[asked[0]] = _source(graph, asked[0])
            source = places[asked[0]]
            entry |= {"source": source} if source is not None else {}
        entries.append(entry)
    return {
        "version": VERSION,
        "model": graph.name,
        "spec": graph.source.name,
        "spec_sha256": graph.source.sha,
        "lines": entries,
        "ops": ops,
        "scopes": scopes,
    }


def _asked(graph: ModuleGraph, ops: list[Op], scopes: list[str], origins: Origins) -> list[Any]:
    """The paths of the spec that a line comes from, each once: of ops, of values, of scopes."""
    made = [op.origin for op in reversed(ops)]
    values = sorted((o for o in origins if isinstance(o, tuple)), key=repr)
    return list(dict.fromkeys([*made, *values, *(graph.scopes[path].origin for path in scopes)]))


def _source(graph: ModuleGraph, origin: Any) -> Table | None:
    """Where a value was written; of a default, the part of the spec that it stands in."""
    mark = graph.source.written(origin)
    if mark is None or not mark.line:
        return None
    file = mark.file.replace("\\", "/").rpartition("/")[2]  # the spec, or what it extends
    found = {"file": file, "line": mark.line, "column": mark.column}
    return found | {"end_line": mark.end_line, "end_column": mark.end_column}
