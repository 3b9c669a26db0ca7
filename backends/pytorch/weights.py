"""Weights to and from safetensors files, by their logical names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


class WeightsError(ValueError):
    """A file of weights that does not fit the model; the message names every difference."""


def save_weights(model: nn.Module, path: str | Path) -> None:
    """Write a model's weights to a safetensors file, moved into place when it is whole."""
    from safetensors.torch import save_file

    path = Path(path)
    state = {name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}
    part = path.with_name(f".{path.name}.part")
    try:
        save_file(state, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def load_weights(model: nn.Module, path: str | Path) -> nn.Module:
    """Read a safetensors file into a model, one tensor at a time; returns the model.

    Every weight must be there with its shape, and nothing else: raises WeightsError with all that
    is missing, unexpected or of another shape, before anything is changed.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    target = model.state_dict()
    try:
        with safe_open(path, framework="pt") as file:
            _compare(
                {name: tuple(tensor.shape) for name, tensor in target.items()},
                {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()},  # noqa: SIM118
                Path(path).name,
            )
            with torch.no_grad():
                for name, tensor in target.items():
                    tensor.copy_(file.get_tensor(name))
    except SafetensorError as error:
        raise WeightsError(f"{Path(path).name} is no whole safetensors file: {error}") from None
    return model


def _compare(
    wanted: dict[str, tuple[int, ...]], found: dict[str, tuple[int, ...]], file: str
) -> None:
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
