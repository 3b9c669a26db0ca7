"""The names of a Hugging Face checkpoint as a table for an emitted file (`build --loader`)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from ...compiler import ModuleGraph
from ...spec import ModelSpec
from ..pytorch.loader import Loader, Row
from .errors import ExportError
from .families import FAMILIES
from .imported import read_model
from .layouts import Layout, Shape
from .names import Move, Names
from .native import Native, candidates, find_native
from .tokenizer_files import is_model_folder

WORD = "huggingface"


def loader_table(spec: ModelSpec, graph: ModuleGraph, word: str = WORD) -> Loader:
    """The table of checkpoint names for a spec.

    word: "huggingface"; "huggingface/MODEL_TYPE" for a spec whose weights have the names of that
        type although other options differ; or a model folder

    Raises ExportError for another word, an unknown model type or weights without a counterpart, and
    CheckpointError for a folder that cannot be imported.
    """
    weights = {weight.name: weight.shape for weight in graph.weights()}
    start, _, model_type = word.partition("/")
    native: Native | None
    if start != WORD and not is_model_folder(Path(word)):
        raise ExportError(
            f"--loader takes `{WORD}`, `{WORD}/MODEL_TYPE` or a model folder, not `{word}`"
        )
    if is_model_folder(Path(word)):
        native = _of_folder(word, spec, weights)
        word = f"{WORD}/{native.family.model_type}"
    elif model_type:
        native = _of_type(spec, model_type, weights)
    else:
        native = find_native(spec)
    if native is None:
        raise ExportError(
            f"transformers has no architecture that matches {spec.name}; name one whose weight "
            f"names to use: --loader {WORD}/MODEL_TYPE"
        )
    names = Names(native.family, native.head, native.values)
    rows = tuple(_rows(names, weights))
    return Loader(word, rows, _more(native, names))


def _of_folder(folder: str, spec: ModelSpec, weights: Mapping[str, Shape]) -> Native:
    """The class of a folder's config.json."""
    read = read_model(folder)
    if read.family is None:
        raise ExportError(
            f"the weights of {folder} have the names of the spec; --loader is not needed"
        )
    names = Names(read.family, read.head, read.values)
    if unknown := next((move for move in names.moves(weights) if isinstance(move, str)), None):
        raise ExportError(
            f"{read.family.model_type} has no counterpart of the weight {unknown} of {spec.name}"
        )
    return Native(read.family, "", read.head, read.values, read.folder.config)


def _of_type(spec: ModelSpec, model_type: str, weights: Mapping[str, Shape]) -> Native | None:
    """The first class of a model type that has all weights."""
    family = FAMILIES.get(model_type)
    if family is None:
        raise ExportError(f"unknown model type `{model_type}`; see docs/coverage.md for a list")
    for native in candidates(spec, family):
        moves = Names(native.family, native.head, native.values).moves(weights)
        if all(isinstance(move, Move) for move in moves):
            return native
    raise ExportError(f"no class of model type {model_type} has all weights of {spec.name}")


def _rows(names: Names, weights: Mapping[str, Shape]) -> Iterator[Row]:
    """The rows that the model's weights need; rows of single layers come first."""
    found: dict[tuple[str, tuple[str, ...]], Row] = {}
    for move in names.moves(weights):
        assert isinstance(move, Move), f"{move} has no name"
        row = names.row(move.ours[0])
        assert row is not None, move.ours
        layout, group, numbers, leaf = row
        ours = tuple(n for n in group if f"{n.format(*numbers)}{leaf}" in weights)
        several = len(ours) > 1
        found.setdefault(
            (layout.theirs, ours), Row(layout.theirs, ours, _how(layout, names, several))
        )
    shadowed = {key: _is_shadowed(row, found.values()) for key, row in found.items()}
    if len({theirs for theirs, _ in found}) < len(found):
        raise ExportError("the same tensor name stands for different weights in different layers")
    yield from (found[key] for key in sorted(found, key=shadowed.__getitem__))


def _is_shadowed(row: Row, rows: Collection[Row]) -> bool:
    """Whether a more specific row exists for one layer or one weight of this row."""
    if "{}" not in row.ours[0]:
        return False
    pattern = re.compile(re.escape(row.ours[0]).replace(r"\{\}", r"(\d+|\{\})") + r"(\.\w+)?")
    others = (name for other in rows if other is not row for name in other.ours)
    return any(map(pattern.fullmatch, others))


def _how(layout: Layout, names: Names, several: bool) -> dict[str, Any]:
    """Arguments of `Stored` that differ from the defaults."""
    if type(layout) is not Layout:
        raise ExportError(f"the loader does not support the layout of {layout.theirs}")
    found = {
        "beside": layout.beside,
        "numbered": "{e}" in layout.theirs,
        "transposed": layout.transposed,
        "axis": layout.axis if several else 0,
        "groups": layout.group_count(names.values) if several else 1,
        "halves": 0 if layout.halves is None else int(layout.halves(names.values)),
        "factor": 1.0 if layout.factor is None else float(layout.factor(names.values)),
        "reshaped": layout.stored is not None,
    }
    usual = {"beside": (), "axis": 0, "groups": 1, "halves": 0, "factor": 1.0}
    return {key: value for key, value in found.items() if value != usual.get(key, False)}


def _more(native: Native, names: Names) -> dict[str, Any]:
    """Non-empty arguments of `Checkpoint`."""
    family, head = native.family, native.head
    unread = family.unused(native.values) if callable(family.unused) else family.unused
    found = {
        "prefix": names.prefix,
        "renamed": tuple(family.renamed.items()),
        "instead": tuple(names.instead.items()),
        "copies": tuple(names.copies.items()),
        "unread": "|".join((*unread, *head.unused)),
    }
    return {key: value for key, value in found.items() if value}
