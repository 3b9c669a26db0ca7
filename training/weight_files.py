"""Files of weights from which models are trained, pruned and quantized."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .errors import TrainingError

if TYPE_CHECKING:
    from torch import nn


def load_float_weights(model: nn.Module, path: Path | str) -> None:
    """Load weights that are not quantized. Raises TrainingError if they are, and WeightsError."""
    from ..backends.checkpoint_readers import quantized_problem
    from ..backends.pytorch import load_weights
    from ..backends.pytorch.quantized import kind_of

    if kind := kind_of(Path(path)):
        raise TrainingError(f"{path}: {quantized_problem(kind)}")
    load_weights(model, path)


def check_weights(path: Path) -> None:
    """Raise TrainingError for a file that `train.py` cannot read: it has torch and safetensors."""
    from ..backends.checkpoint_errors import CheckpointError
    from ..backends.checkpoint_readers import is_pickle, read_header

    if not path.is_file():
        raise TrainingError(f"{path} is not a file; `train` starts from a safetensors file")
    try:
        if is_pickle(path):
            raise TrainingError(
                f"{path} is a PyTorch pickle; `train` starts from a safetensors file"
            )
        read_header(path)
    except CheckpointError as error:
        raise TrainingError(str(error)) from None
