"""The front door: a file or a text becomes a ModelSpec, or every mistake in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import source
from .errors import Mark, SpecErrors
from .files import apply_sets, read_document
from .laws import check_laws
from .levels import resolve
from .merge import Reading
from .model import ModelSpec
from .source import Node
from .support import not_yet
from .validate import validate


def load(path: str | Path, sets: Sequence[str] = (), *, check_support: bool = True) -> ModelSpec:
    """Read a spec from a file.

    path: as people wrote it; it begins every message
    sets: `key=value` with dotted keys and YAML values, written over the file
    check_support: refuse what the language has but this version cannot build

    Raises SpecErrors with every mistake, each located.
    """
    path = Path(path)
    reading = Reading(path.parent.resolve())
    return _finish(read_document(path, reading), path, sets, reading, check_support)


def loads(
    text: str, name: str = "<text>", sets: Sequence[str] = (), *, check_support: bool = True
) -> ModelSpec:
    """Read a spec from a text. `name` stands for the file in messages."""
    reading = Reading()
    tree = source.parse(text, name, reading.problems)
    base = tree.value.pop("extends", None) if tree else None
    if base is not None:
        reading.problem(base, "a text has no folder to look in; `extends` needs `load(path)`")
    return _finish(tree, Path(name), sets, reading, check_support)


def from_data(
    data: Mapping[str, Any], name: str = "<data>", *, check_support: bool = True
) -> ModelSpec:
    """A spec from plain Python data in the written language."""
    tree = source.from_data(dict(data), Mark(name, 0, 0))
    return _finish(tree, Path(name), (), Reading(), check_support)


def _finish(
    tree: Node | None, path: Path, sets: Sequence[str], reading: Reading, check_support: bool
) -> ModelSpec:
    if tree is None:
        raise SpecErrors(reading.problems)
    tree = apply_sets(tree, sets, reading)
    resolved = resolve(tree, path, reading)
    spec, errors = validate(resolved.plain())
    meant: set[str] = set()
    if errors:
        from .explain import Explainer  # words about mistakes are read when there are some

        explainer = Explainer(resolved)
        reading.problems += explainer.explain(errors)
        meant = explainer.meant
    if spec is not None:
        check_laws(spec, resolved, reading, meant)
        if check_support:
            reading.problems += not_yet(spec, resolved)
    if spec is None or reading.problems:
        raise SpecErrors(reading.problems)
    sealed = _sealed(spec, resolved, path.name, reading)
    sealed._sets = tuple(sets)
    return sealed


def _sealed(spec: ModelSpec, resolved: Node, name: str, reading: Reading) -> ModelSpec:
    """The spec with the blocks its layers use, and what is known about its text."""
    stacks = {
        key: stack.model_copy(
            update={"blocks": {n: b for n, b in stack.blocks.items() if n in set(stack.order)}}
        )
        for key, stack in spec.stacks.items()
    }
    spec = spec.model_copy(update={"stacks": stacks})
    spec._tree, spec._source_name = resolved, name
    spec._warnings, spec._notes = tuple(reading.warnings), tuple(reading.notes)
    return spec
