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

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ...compiler.graph import ModuleGraph, Op
from .code.layout import Printed
from .code.nodes import Origins

VERSION = 2
Table = dict[str, Any]


class Sources(NamedTuple):
    """What a line is there for.

    ops     in the order of their numbers
    scopes  paths of modules
    asked   paths of the spec, each once: of ops, of values, of modules
    """

    ops: tuple[Op, ...]
    scopes: tuple[str, ...]
    asked: tuple[tuple[str | int, ...], ...]


def line_sources(
    graph: ModuleGraph, lines: Sequence[Printed], offset: int, lowered: ModuleGraph
) -> dict[int, Sources]:
    """The sources of these lines, which stand behind `offset` others, by their numbers.

    Lines of equal origins have the same object.

    lowered: the graph before passes, whose ops may be merged into others in `graph`
    """
    found: dict[int, Sources] = {}
    known: dict[Origins, Sources] = {}
    for number, line in enumerate(lines, start=offset + 1):
        origins = line.origins
        if not origins:
            continue
        if origins not in known:
            known[origins] = _sources(graph, lowered, origins)
        found[number] = known[origins]
    return found


def _sources(graph: ModuleGraph, lowered: ModuleGraph, origins: Origins) -> Sources:
    numbers = sorted(o for o in origins if isinstance(o, int) and (o in graph or o in lowered))
    scopes = sorted(o for o in origins if isinstance(o, str))
    values = [o for o in origins if isinstance(o, tuple)]
    if len(values) > 1:
        values.sort(key=repr)
    ops = [(graph if number in graph else lowered).op(number) for number in numbers]
    asked = [op.origin for op in reversed(ops)] + values
    asked += [graph.scopes[path].origin for path in scopes]
    return Sources(tuple(ops), tuple(scopes), tuple(dict.fromkeys(asked)))


def source_map(graph: ModuleGraph, lines: Mapping[int, Sources]) -> Table:
    """The map of lines with these sources."""
    entries = []
    ops: dict[str, Table] = {}
    scopes: dict[str, Table] = {}
    places: dict[Any, Table | None] = {}
    for number, (own, paths, asked) in lines.items():
        for op in own:
            ops[str(op.number)] = {"kind": op.kind, "scope": op.scope, "name": op.name}
        for path in paths:
            scopes[path] = {"role": graph.scopes[path].role}
        entry: Table = {"line": number, "ops": [op.number for op in own], "scopes": list(paths)}
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


def _source(graph: ModuleGraph, origin: Any) -> Table | None:
    """Where a value was written; of a default, the part of the spec that it stands in."""
    mark = graph.source.written(origin)
    if mark is None or not mark.line:
        return None
    file = mark.file.replace("\\", "/").rpartition("/")[2]  # the spec, or what it extends
    found = {"file": file, "line": mark.line, "column": mark.column}
    return found | {"end_line": mark.end_line, "end_column": mark.end_column}
