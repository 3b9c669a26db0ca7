"""Hugging Face folders: config.json becomes a spec, the files of weights those of its model.

`transformers` is not needed. A family is one entry of data, in `families/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...compiler import lower
from ...outputs import replacing
from ...spec import SpecErrors, loads
from .config import class_of, family_of, head_of, spec_data, values_of
from .errors import CheckpointError, ExportError
from .export_folder import export, export_custom
from .families import FAMILIES
from .family import Family, Head
from .folder import CONFIG, Folder, read_folder
from .text import shortest, yaml_text

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = [
    "FAMILIES",
    "CheckpointError",
    "ExportError",
    "export",
    "export_custom",
    "from_pretrained",
    "import_folder",
    "import_weights",
]


def import_folder(folder: str | Path) -> str:
    """The spec of a model folder, as YAML. It reads config.json and the names of the weights.

    Raises CheckpointError for a folder, a file or a model that cannot be imported.
    """
    return _read(folder)[0]


def _read(folder: str | Path) -> tuple[str, Folder, Family, Head, Mapping[str, Any]]:
    read = read_folder(folder)
    family = family_of(read)
    head = head_of(read, family)
    values = values_of(read, family, head)
    data = spec_data(read, family, head, values)
    comment = f"{read.name}: from the {CONFIG} of a Hugging Face {class_of(read, family)}"
    note = family.note(values) if callable(family.note) else family.note
    comment = f"{comment}. {note}" if note else comment
    try:
        text = yaml_text(shortest(data), comment)
    except SpecErrors as error:
        said = [problem.message for problem in error.problems]
        raise CheckpointError(read.path / CONFIG, said) from None
    return text, read, family, head, values


def from_pretrained(
    folder: str | Path,
    *,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
) -> nn.Module:
    """The compiled model of a folder with its weights, in eval mode.

    `device` is "cpu" unless given; `dtype` is torch's default dtype, whatever the files hold.
    Raises CheckpointError for a folder that cannot be imported, with every tensor that is missing,
    unexpected or of another shape: no weight is ever left as it was drawn.
    """
    import torch

    from ..pytorch import compile
    from .names import Names
    from .weights import read_checkpoint

    text, read, family, head, values = _read(folder)
    found = read.weights  # refuse a folder without them before any work
    model = compile(loads(text, CONFIG), device="meta", dtype=dtype)
    wanted = next((weight.dtype for weight in model.parameters()), torch.get_default_dtype())
    shapes = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    place = torch.device(device or "cpu")
    state = dict(read_checkpoint(shapes, found, Names(family, head, values), place, wanted))
    model.load_state_dict(state, assign=True)
    return model.eval()


def import_weights(folder: str | Path, output: str | Path) -> None:
    """Write the weights of a model folder as safetensors under their logical names, as stored.

    `load_weights` reads them into the model of the imported spec. The file is moved into place
    when it is whole. Raises CheckpointError as `from_pretrained` does.
    """
    from safetensors.torch import save_file

    from .names import Names
    from .weights import read_checkpoint

    text, read, family, head, values = _read(folder)
    shapes = {weight.name: weight.shape for weight in lower(loads(text, CONFIG)).weights()}
    state = dict(read_checkpoint(shapes, read.weights, Names(family, head, values)))
    with replacing(Path(output)) as fresh:
        save_file(state, fresh)
