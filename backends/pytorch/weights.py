"""Weights to and from safetensors files, by their logical names."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ...outputs import replacing

if TYPE_CHECKING:
    from torch import Tensor, nn


class WeightsError(ValueError):
    """A file of weights that does not fit the model; the message names every difference."""


def save_weights(model: nn.Module, path: str | Path) -> None:
    """Write a model's weights to a safetensors file, moved into place when it is whole."""
    from safetensors.torch import save_file

    state = {name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}
    with replacing(Path(path)) as fresh:
        save_file(state, fresh)


def load_weights(model: nn.Module, path: str | Path) -> nn.Module:
    """Read a safetensors file into a model, one tensor at a time; returns the model.

    Every weight must be there with its shape, and nothing else: raises WeightsError with all that
    is missing, unexpected or of another shape, before anything is changed. The file may also be
    one that Hugging Face saved from an exported model, where `model.` stands before each name.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    target = model.state_dict()
    try:
        with safe_open(path, framework="pt") as file:
            stored = _logical_names(file.keys(), target)
            check_shapes(
                {name: tuple(tensor.shape) for name, tensor in target.items()},
                {name: tuple(file.get_slice(own).get_shape()) for name, own in stored.items()},
                Path(path).name,
            )
            with torch.no_grad():
                for name, tensor in target.items():
                    tensor.copy_(file.get_tensor(stored[name]))
    except SafetensorError as error:
        raise WeightsError(f"{Path(path).name} is no whole safetensors file: {error}") from None
    return model


def read_tensors(path: str | Path, wanted: Collection[str]) -> dict[str, Tensor]:
    """The tensors of a safetensors file by their logical names, of which these are `wanted`."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            stored = _logical_names(file.keys(), wanted)
            return {name: file.get_tensor(own) for name, own in stored.items()}
    except SafetensorError as error:
        raise WeightsError(f"{Path(path).name} is no whole safetensors file: {error}") from None


def _logical_names(stored: Iterable[str], wanted: Collection[str]) -> dict[str, str]:
    """Logical name -> name in the file. A model that was exported and trained on says `model.`."""
    names, prefix = list(stored), "model."
    if any(name.startswith(prefix) for name in wanted) or not all(
        name.startswith(prefix) for name in names
    ):
        prefix = ""
    return {name.removeprefix(prefix): name for name in names}


def check_shapes(
    wanted: dict[str, tuple[int, ...]], found: dict[str, tuple[int, ...]], file: str
) -> None:
    """Raises WeightsError with every difference between what is wanted and what was found."""
    problems = [f"missing: {name} {wanted[name]}" for name in sorted(wanted.keys() - found.keys())]
    problems += [
        f"unexpected: {name} {found[name]}" for name in sorted(found.keys() - wanted.keys())
    ]
    problems += [
        f"shape of {name}: {found[name]} in the file, {wanted[name]} in the model"
        for name in sorted(wanted.keys() & found.keys())
        if wanted[name] != found[name]
    ]
    if problems:
        raise WeightsError(f"{file} does not fit the model:\n  " + "\n  ".join(problems))
