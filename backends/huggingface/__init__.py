"""Hugging Face folders: config.json becomes a spec, model.safetensors the weights of its model.

`transformers` is not needed. A family is one entry of data; `bert.py` is the first.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...spec import SpecErrors, loads
from .config import FAMILIES, class_of, family_of, head_of, spec_data
from .errors import CheckpointError
from .folder import CONFIG, Folder, read_folder
from .text import shortest, yaml_text

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["FAMILIES", "CheckpointError", "from_pretrained", "import_folder"]


def import_folder(folder: str | Path) -> str:
    """The spec of a model folder, as YAML. It reads config.json and the names in the weights file.

    Raises CheckpointError for a folder, a file or a model that cannot be imported.
    """
    return _spec_text(read_folder(folder))


def _spec_text(folder: Folder) -> str:
    family = family_of(folder)
    head = head_of(folder, family)
    data = spec_data(folder, family, head)
    comment = f"{folder.name}: from the {CONFIG} of a Hugging Face {class_of(folder, family)}"
    try:
        return yaml_text(shortest(data), comment)
    except SpecErrors as error:
        said = [problem.message for problem in error.problems]
        raise CheckpointError(folder.path / CONFIG, said) from None


def from_pretrained(
    folder: str | Path,
    *,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
) -> nn.Module:
    """The compiled model of a folder with its weights, in eval mode.

    `device` is "cpu" unless given; `dtype` is torch's default dtype, whatever the file holds.
    Raises CheckpointError for a folder that cannot be imported, with every tensor that is missing,
    unexpected or of another shape: no weight is ever left as it was drawn.
    """
    from ..pytorch import compile
    from .weights import Names, load_checkpoint

    read = read_folder(folder)
    family = family_of(read)
    _ = read.weights  # refuse a folder without them before any work
    spec = loads(_spec_text(read), CONFIG)
    model = compile(spec, device="meta", dtype=dtype).to_empty(device=device or "cpu")
    load_checkpoint(model, read, Names(family, head_of(read, family)))
    return model.eval()
