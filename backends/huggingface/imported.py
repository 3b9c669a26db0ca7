"""Import a model folder: its spec as YAML, and the tensors of its weights."""

from __future__ import annotations

import traceback
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...compiler import lower
from ...spec import ModelSpec, SpecErrors, loads
from ..checkpoint_readers import Shape
from .config import class_of, family_of, head_of, shown, spec_data, values_of
from .errors import CheckpointError
from .family import Family, Head
from .folder import CONFIG, Folder, read_folder
from .names import LogicalNames, Names
from .quantized_folder import QUANTIZED
from .spec_text import FAMILY, SPEC_KEY, spec_text
from .text import shortest, yaml_text
from .training import in_training

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class Imported:
    """A folder and its spec.

    family, head, values: None for a folder with its own code, whose weights have logical names
    """

    text: str
    folder: Folder
    family: Family | None = None
    head: Head = field(default_factory=Head)
    values: Mapping[str, Any] = field(default_factory=dict)

    def tensors(
        self,
        shapes: Mapping[str, Shape],
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> Iterator[tuple[str, Tensor]]:
        """The weights by logical name, see `read_checkpoint`."""
        from ..checkpoint_readers import quantized_problem
        from .weights import read_checkpoint

        if self.family is None and self.folder.config.get(QUANTIZED):
            raise CheckpointError(self.folder.path, [quantized_problem("torchao")])
        names: Names | LogicalNames = LogicalNames(shapes)
        if self.family is not None:
            names = Names(self.family, self.head, self.values)
        return read_checkpoint(shapes, self.folder.weights, names, device, dtype)


def read_model(path: str | Path, ignore: Collection[str] = ()) -> Imported:
    """Import the spec of a folder.

    ignore: keys of config.json that are assumed not to affect the model

    Raises CheckpointError for a folder, a file or a model that cannot be imported. An error in the
    rows of a family that also occurs with the library's defaults is a bug: it is raised as it is.
    """
    folder = read_folder(path)
    if str(folder.config.get("model_type", "")).startswith(FAMILY):
        return Imported(_own_spec(folder), folder)
    if unknown := sorted(set(ignore) - folder.keys):
        names = ", ".join(f"`{key}`" for key in unknown)
        raise CheckpointError(folder.path / CONFIG, [f"it has no {names}, which is to be ignored"])
    folder = folder.without(ignore)
    try:
        return _from_config(folder)
    except CheckpointError:
        raise
    except _WRONG_VALUES as error:
        if _fails_with(folder, _KIND, error):
            raise
        raise CheckpointError(folder.path / CONFIG, [_blame(folder, error)]) from error


_WRONG_VALUES = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""Exceptions that a row may raise for inconsistent values in config.json."""


def _blame(folder: Folder, error: Exception) -> str:
    """Which value the rows cannot read: the one without which this error does not occur."""
    for key in folder.config:
        others = [other for other in folder.config if other != key]
        if key not in _KIND and not _fails_with(folder, others, error):
            value = shown(folder.config[key])
            return f"`{key}: {value}` is not valid, or does not fit the other values"
    return "its values contradict each other"


def _fails_with(folder: Folder, keys: Collection[str], error: Exception) -> bool:
    """Whether the rows raise the same error, at the same place, with only these keys.

    The library's defaults replace the others.
    """
    kept = {key: folder.config[key] for key in keys if key in folder.config}
    try:
        _from_config(replace(folder, config=kept))
    except CheckpointError:
        return False
    except _WRONG_VALUES as other:
        return type(other) is type(error) and _place(other) == _place(error)
    return False


_KIND = ("model_type", "architectures")


def _place(error: Exception) -> tuple[str, int]:
    """The file and line that raised an exception."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return frame.filename, frame.lineno or 0


def _from_config(folder: Folder) -> Imported:
    """Convert config.json to a spec by the rows of its family."""
    family = family_of(folder)
    head = head_of(folder, family)
    values = values_of(folder, family, head)
    data = spec_data(folder, family, head, values)
    comment = f"{folder.name}: from the {CONFIG} of a Hugging Face {class_of(folder, family)}"
    note = family.note(values) if callable(family.note) else family.note
    training = in_training(family.model_type, folder.config, values)
    comment = ". ".join(filter(None, (comment, note, folder.later_modules, training)))
    try:
        text = yaml_text(shortest(data), comment)
    except SpecErrors as error:
        messages = [problem.message for problem in error.problems]
        raise CheckpointError(folder.path / CONFIG, messages) from None
    return Imported(text, folder, family, head, values)


def _own_spec(folder: Folder) -> str:
    """The spec stored in the config.json of a folder with its own code.

    `vocab_size` may have changed since the export, because the library can resize the embedding.
    """
    text = folder.config.get(SPEC_KEY)
    if not isinstance(text, str):
        why = f"`{SPEC_KEY}` is missing: it was exported from a graph, or by an earlier version"
        raise CheckpointError(folder.path / CONFIG, [why])
    try:
        spec = loads(text, CONFIG)
        words = folder.config.get("vocab_size")
        if isinstance(words, int) and words not in (None, _vocabulary(spec)):
            return spec_text(loads(text, CONFIG, sets=[f"vocab_size={words}"]))
    except SpecErrors as error:
        messages = [problem.message for problem in error.problems]
        raise CheckpointError(folder.path / CONFIG, messages) from None
    return text


def _vocabulary(spec: ModelSpec) -> int | None:
    """Vocabulary size of the stack that generates."""
    return list(spec.stacks.values())[-1].vocab_size


def logical_weights(path: str | Path, wanted: Mapping[str, Shape]) -> dict[str, Tensor]:
    """The weights of a folder by logical name, with their stored dtypes.

    Raises CheckpointError if names or shapes do not match.
    """
    read = read_model(path)
    own = {weight.name: weight.shape for weight in lower(loads(read.text, CONFIG)).weights()}
    differ = [name for name in wanted if own.get(name) != wanted[name]]
    if differ or own.keys() != wanted.keys():
        name = (differ or sorted(own.keys() - wanted.keys()))[0]
        why = f"shape of {name}: {own.get(name)} in the file, but {wanted.get(name)} in the spec"
        raise CheckpointError(Path(path), [why])
    return dict(read.tensors(wanted))
