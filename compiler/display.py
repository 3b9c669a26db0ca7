"""The resolved spec as YAML, without the options that nothing uses."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from ..spec.display import Line, shown_lines
from ..spec.errors import SpecErrors
from ..spec.model import ModelSpec
from ..spec.support import refusals
from .graph import ModuleGraph
from .lower.model import unused_if_written
from .lower.reads import Path


def show(spec: ModelSpec, graph: ModuleGraph | None = None) -> str:
    """The spec as YAML with all values and defaults, and a comment with the origin of each.

    The output is a spec itself, of the same model. Options that would be errors if they were
    written, since nothing uses them, are comments, and so are derived values.

    graph: of this spec, which says what it uses; None: the spec is lowered for that
    """
    return text_of(lines_shown(spec, graph))


def lines_shown(spec: ModelSpec, graph: ModuleGraph | None = None) -> list[Line]:
    """The lines of `show`, each with the path of its value."""
    return _lines(spec, graph, origins=True)


def text_of(lines: Iterable[Line]) -> str:
    """Lines as a text."""
    return "".join([f"{line.text}\n" for line in lines])


def to_yaml(spec: ModelSpec) -> str:
    """The spec as YAML with all values and defaults; `loads` reads it as a spec of the same model.

    Blocks that no layer uses and options without effect are omitted, so the specs can differ in
    these.
    """
    lines = _lines(spec, None, origins=False)
    return text_of(line for line in lines if not line.is_comment)


def _lines(spec: ModelSpec, graph: ModuleGraph | None, *, origins: bool) -> list[Line]:
    unused: set[Path] = set()
    if not any(refusals(spec)):  # what cannot be lowered is shown whole
        with suppress(SpecErrors):
            unused = unused_if_written(spec) if graph is None else graph.source.unused()
    return shown_lines(spec, unused, origins=origins)
