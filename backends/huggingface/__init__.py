"""Import and export of Hugging Face model folders: config.json to spec and back, and weights.

`transformers` is not needed. Each model family is described by data in `families/`.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from ...compiler import lower
from ...outputs import replacing
from ...spec import loads
from .errors import CheckpointError, ExportError
from .export_folder import export, export_custom
from .families import FAMILIES
from .folder import CONFIG
from .imported import read_model

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


def import_folder(folder: str | Path, *, ignore: Collection[str] = ()) -> str:
    """The spec of a Hugging Face model folder, as YAML; reads config.json and the names of the
    weights.

    ignore: keys of config.json to skip, because they do not affect the model

    Raises CheckpointError for a folder, file or model that cannot be imported.
    """
    return read_model(folder, ignore).text


def from_pretrained(
    folder: str | Path,
    *,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    ignore: Collection[str] = (),
) -> nn.Module:
    """Build the model of a Hugging Face folder and load its weights. Returns it in eval mode.

    device: default: "cpu"
    dtype: default: torch's default dtype, whatever the dtype of the files is
    ignore: keys of config.json to skip, because they do not affect the model

    Raises CheckpointError for a folder that cannot be imported, and lists all tensors that are
    missing, unexpected or of another shape; no weight keeps its random initial value.
    """
    import torch

    from ..pytorch import compile

    read = read_model(folder, ignore)
    _ = read.folder.weights  # fail early if there are none
    model = compile(loads(read.text, CONFIG), device="meta", dtype=dtype)
    wanted = next((weight.dtype for weight in model.parameters()), torch.get_default_dtype())
    shapes = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    state = dict(read.tensors(shapes, torch.device(device or "cpu"), wanted))
    model.load_state_dict(state, assign=True)
    return model.eval()


def import_weights(folder: str | Path, output: str | Path, *, ignore: Collection[str] = ()) -> None:
    """Write the weights of a model folder to a safetensors file, with the names of the spec.

    `load_weights` reads it into the model of the imported spec. Dtypes are unchanged. The file is
    written under a temporary name and renamed when complete.

    Raises CheckpointError as `from_pretrained` does.
    """
    from ..tensor_files import write_tensors

    read = read_model(folder, ignore)
    shapes = {weight.name: weight.shape for weight in lower(loads(read.text, CONFIG)).weights()}
    state = dict(read.tensors(shapes))
    with replacing(Path(output)) as fresh:
        write_tensors(state, fresh)
