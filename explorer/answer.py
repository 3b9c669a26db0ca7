"""Everything that the page shows about a spec, as plain data. No torch, no server.

`figure` is answered first, within milliseconds, then `code`, then `links`: the page shows each
while the next one is computed. They read the same text, so the graph of the last few texts
is kept, with its drawing and its file.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from ..backends.diagram import DrawError, DrawOptions, draw
from ..backends.diagram.compare import draw_difference
from ..backends.diagram.drawing import Drawing
from ..backends.diagram.figure import figure
from ..backends.diagram.masks import MaskOptions, draw_masks
from ..backends.diagram.parts import Parts
from ..backends.diagram.svg import svg
from ..backends.pytorch import Emitted, emit_file
from ..backends.pytorch.file import module_name
from ..compiler import ModuleGraph, lower
from ..compiler.change import Change
from ..compiler.difference_text import difference
from ..compiler.display import lines_shown, text_of
from ..compiler.op_costs import not_whole
from ..compiler.report import Report, report
from ..compiler.weight_rows import weight_rows
from ..spec import Mark, ModelSpec, SpecError, SpecErrors, loads
from .links import Links
from .paths import extends_mark
from .request import Request, read_request
from .sizes import sizes

Answer = dict[str, Any]


def answer(request: Mapping[str, Any], folder: Path | None = None) -> Answer:
    """The answer to a question of the page; see `Request` for what may be asked.

    folder: folder of the files that a spec may name in `extends`; None: none

    A spec with errors has an answer too: `problems`, each with its place in the text, and nothing
    else. Raises RequestError for data that is no request.
    """
    asked = read_request(request)
    try:
        return _ANSWERS[asked.ask](asked, folder)
    except SpecErrors as errors:
        return {"problems": [_problem(each, asked, "error") for each in errors.problems]}


def _figure(asked: Request, folder: Path | None) -> Answer:
    spec, graph = _read(asked.text, asked.name, folder)
    drawing, _ = _drawn(graph, asked.depth, asked.costs, asked.theme)
    return {
        "problems": [_problem(each, asked, "warning") for each in spec.located_warnings],
        "notes": list(spec.notes),
        "name": spec.name,
        "class": graph.class_name,
        "svg": svg(drawing).decode(),
        "sizes": sizes(spec),
    }


def _code(asked: Request, folder: Path | None) -> Answer:
    _, graph = _read(asked.text, asked.name, folder)
    costs, note = _report(graph, asked)
    return {
        "problems": [],
        "code": _emitted(graph).text,
        "file": f"{module_name(graph.name)}.py",
        "costs": _costs(costs),
        "note": note,
    }


def _links(asked: Request, folder: Path | None) -> Answer:
    spec, graph = _read(asked.text, asked.name, folder)
    resolved = lines_shown(spec, graph)
    drawn = _drawn(graph, asked.depth, asked.costs, asked.theme)
    texts = asked.text, resolved
    links = Links(spec, graph, drawn, _emitted(graph), weight_rows(graph), texts)
    return {"problems": [], "resolved": text_of(resolved), "links": links.to_json()}


def _masks(asked: Request, folder: Path | None) -> Answer:
    _, graph = _read(asked.text, asked.name, folder)
    try:
        drawn = draw_masks(graph, options=MaskOptions(theme=asked.theme)).decode()
    except DrawError as error:  # a model without attention has no masks
        return {"problems": [], "svg": "", "note": str(error)}
    return {"problems": [], "svg": drawn, "note": ""}


def _difference(asked: Request, folder: Path | None) -> Answer:
    other, _ = _read(asked.other, asked.other_name, folder)
    spec, graph = _read(asked.text, asked.name, folder)
    names = asked.other_name, asked.name
    if asked.other_name == asked.name:  # an example that was opened and edited
        names = f"{asked.name} (example)", f"{asked.name} (here)"
    found = difference(other, spec, names, batch=asked.batch, dtype=asked.dtype)
    drawn = draw_difference(found, options=DrawOptions(theme=asked.theme)).decode()
    data = found.to_json()
    shown = enumerate(lines_shown(spec, graph), start=1)
    resolved = {line.path: number for number, line in shown if line.path is not None}
    for change, row in zip(found.changes, data["changes"], strict=True):
        row["line"] = _line(change.after.mark, asked)
        row["resolved"] = _lines_of(resolved, change)
    return {
        "problems": [],
        "svg": drawn,
        "names": list(names),
        "equal": found.equal,
        "changes": data["changes"],
        "cost": data["cost"],
    }


def _export(asked: Request, folder: Path | None) -> Answer:
    """The figure as a file, in base64."""
    _, graph = _read(asked.text, asked.name, folder)
    try:
        drawn = draw(graph, asked.format, _options(asked))
    except DrawError as error:  # a library for this format is missing
        return {"problems": [], "data": "", "note": str(error)}
    return {"problems": [], "data": base64.b64encode(drawn).decode(), "note": ""}


_ANSWERS: dict[str, Callable[[Request, Path | None], Answer]] = {
    "figure": _figure,
    "code": _code,
    "links": _links,
    "masks": _masks,
    "difference": _difference,
    "export": _export,
}


# -- reading


def _read(text: str, name: str, folder: Path | None) -> tuple[ModelSpec, ModuleGraph]:
    """The spec of a text and its graph; kept while the files that it extends stay as they are.

    Raises SpecErrors.
    """
    key = text, name, folder
    kept = _KEPT.get(key)
    if kept is None or kept.states != _states(kept.spec.bases):
        spec = loads(text, name, folder=folder)
        kept = _Kept(spec, lower(spec), _states(spec.bases))
        while len(_KEPT) >= MOST_KEPT:
            _KEPT.pop(next(iter(_KEPT)), None)
        _KEPT[key] = kept
    return kept.spec, kept.graph


class _Kept(NamedTuple):
    spec: ModelSpec
    graph: ModuleGraph
    states: list[tuple[int, int]]


MOST_KEPT = 8
_KEPT: dict[tuple[str, str, Path | None], _Kept] = {}


def _states(files: Iterable[Path]) -> list[tuple[int, int]]:
    """What differs after a file was written: its time and size; (0, 0) for one that is gone."""
    found = []
    for file in files:
        try:
            state = file.stat()
        except OSError:
            found.append((0, 0))
        else:
            found.append((state.st_mtime_ns, state.st_size))
    return found


@lru_cache(maxsize=4)
def _emitted(graph: ModuleGraph) -> Emitted:
    """The PyTorch file, which `code` and `links` need."""
    return emit_file(graph, with_map=True)


@lru_cache(maxsize=4)
def _drawn(graph: ModuleGraph, depth: str, costs: bool, theme: str) -> tuple[Drawing, Parts]:
    """The figure and its parts, which `figure` and `links` need."""
    options = DrawOptions(depth=depth, costs=costs, theme=theme)
    parts = Parts(graph, options)
    return figure(graph, options, parts), parts


def _options(asked: Request) -> DrawOptions:
    return DrawOptions(depth=asked.depth, costs=asked.costs, theme=asked.theme)


def _problem(found: SpecError, asked: Request, severity: str) -> Answer:
    """An error with its start and end in the text; for another file, those of `extends`."""
    mark, message = found.mark, found.message
    if mark.file != asked.name:
        file = mark.file.replace("\\", "/").rpartition("/")[2]
        message = f"{file}:{mark.line}: {message}"
        mark = extends_mark(asked.text) or Mark(asked.name, 1, 1)
    start = max(1, mark.line), max(1, mark.column)
    end = (mark.end_line, mark.end_column) if mark.end_line else start
    return {"severity": severity, "message": message, "from": list(start), "to": list(end)}


def _lines_of(resolved: Mapping[Any, int], change: Change) -> list[int]:
    """The lines of the resolved spec with what a change set; none of what it removed."""
    if not change.after.there:
        return []
    paths = {tuple(path) for path in (change.after.path, *change.also)}
    return sorted({resolved[path] for path in paths if path in resolved})


def _line(mark: Any, asked: Request) -> int:
    here = mark is not None and mark.file == asked.name and not mark.why
    return int(mark.line) if here else 0


# -- costs


def _report(graph: ModuleGraph, asked: Request) -> tuple[Report, str]:
    """The costs, and why they are not for as many tokens as was asked."""
    if asked.sequence is not None and graph.decided():
        costs = report(graph, batch=asked.batch, dtype=asked.dtype)
        return costs, f"an image of this model has {costs.sequence:,} tokens"
    if asked.sequence is not None and (reason := not_whole(graph, asked.sequence)):
        return report(graph, batch=asked.batch, dtype=asked.dtype), reason
    return report(graph, batch=asked.batch, sequence=asked.sequence, dtype=asked.dtype), ""


ROW = ("name", "shape", "expression", "count", "copies", "tied", "part")
"""What the page shows of a weight."""


def _costs(costs: Report) -> Answer:
    data = costs.to_json(layers=False)
    weights = data["weights"]
    rows = [{key: row[key] for key in ROW} for row in weights["rows"]]
    keys = ("batch", "sequence", "dtype", "flops", "activations", "cache_bytes", "decoding")
    return {
        **{key: data[key] for key in keys},
        "weights": {**weights, "rows": rows},
        "scores": {key: data["attention"][key] for key in ("flops", "formula", "density")},
    }
