"""Load a ModelSpec from a file, a text or plain data; raises SpecErrors with all errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import Mark, SpecErrors, printable
from .files import apply_sets, decoded, extended, read_file, read_text, real_path
from .laws import check_laws
from .levels import resolve
from .merge import Reading
from .model import ModelSpec
from .source import Node
from .source import from_data as node_from_data
from .support import not_yet
from .validate import validate


def load(path: str | Path, sets: Sequence[str] = (), *, check_support: bool = True) -> ModelSpec:
    """Read a spec from a YAML file.

    path: path of the file; error messages begin with it, as given
    sets: changes such as "decoder.layers=6": dotted key and YAML value; they override the file
    check_support: raise for features that are part of the language but not implemented yet

    Raises SpecErrors with all errors of the spec, each with line and column.
    """
    path = Path(path)
    reading = Reading(real_path(path.parent))
    tree = read_file(path, reading)
    return _finish(tree and extended(tree, path, reading), path, sets, reading, check_support)


def loads(
    text: str | bytes,
    name: str = "<text>",
    sets: Sequence[str] = (),
    *,
    folder: str | Path | None = None,
    check_support: bool = True,
) -> ModelSpec:
    """Read a spec from a YAML text.

    text: YAML; bytes are decoded as UTF-8
    name: name of the text in error messages
    sets: changes such as "decoder.layers=6": dotted key and YAML value; they override the text
    folder: folder of the files named by `extends`; without it, `extends` is an error
    check_support: raise for features that are part of the language but not implemented yet

    Raises SpecErrors with all errors of the spec, each with line and column.
    """
    reading = Reading(None if folder is None else real_path(Path(folder)))
    name = printable(name)
    written = decoded(text, name, reading) if isinstance(text, bytes) else text
    tree = None if written is None else read_text(written, name, reading)
    path = Path(name) if folder is None else Path(folder) / Path(name).name
    whole = tree and extended(tree, path, reading)
    return _finish(whole, path, sets, reading, check_support)


def from_data(
    data: Mapping[str, Any], name: str = "<data>", *, check_support: bool = True
) -> ModelSpec:
    """Make a spec from plain Python data with the keys and values of the YAML language.

    Raises SpecErrors with all errors of the spec.
    """
    reading = Reading()
    tree = node_from_data(dict(data), Mark(name, 0, 0))
    whole = extended(tree, Path(name), reading)
    return _finish(whole, Path(name), (), reading, check_support)


def _finish(
    tree: Node | None, path: Path, sets: Sequence[str], reading: Reading, check_support: bool
) -> ModelSpec:
    if tree is None:
        raise SpecErrors(reading.problems)
    reading.document, reading.changed = tree.mark.file, bool(sets)
    sets = (sets,) if isinstance(sets, str) else tuple(sets)
    tree = apply_sets(tree, sets, reading)
    resolved = resolve(tree, path, reading)
    spec, errors = validate(resolved.plain())
    meant: set[str] = set()
    if errors:
        from .explain import Explainer  # needed only for errors

        explainer = Explainer(resolved)
        reading.problems += explainer.explain(errors)
        meant = explainer.meant
    if spec is not None:
        check_laws(spec, resolved, reading, meant)
        if check_support:
            reading.problems += not_yet(spec, resolved)
    if spec is None or reading.problems:
        raise SpecErrors(reading.problems)
    sealed = _sealed(spec, resolved, printable(path.name), reading)
    sealed._sets = sets
    return sealed


def _sealed(spec: ModelSpec, resolved: Node, name: str, reading: Reading) -> ModelSpec:
    """The spec without unused blocks, with its source, warnings and notes."""
    stacks = {}
    for key, stack in spec.stacks.items():
        used = set(stack.order)
        blocks = {name: block for name, block in stack.blocks.items() if name in used}
        stacks[key] = stack.model_copy(update={"blocks": blocks})
    spec = spec.model_copy(update={"stacks": stacks})
    spec._tree, spec._source_name = resolved, name
    spec._warnings, spec._notes = tuple(reading.warnings), tuple(reading.notes)
    spec._bases = tuple(reading.documents)
    return spec
