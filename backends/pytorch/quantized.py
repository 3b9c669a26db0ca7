"""Quantized models, with torchao: linear layers in 8 bits, and their files.

int8           weights in 8 bits, one scale per row
int8-dynamic   also the inputs, with one scale per token, computed when the model runs
float8         weights in float8 (e4m3), one scale per row

A file has for each quantized weight the tensors of which it consists, such as `NAME.qdata` and
`NAME.scale`, and the kind in its metadata. It is a safetensors file.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

KINDS = ("int8", "int8-dynamic", "float8")
"""Kinds of quantization."""
KEY = "quantization"
"""Metadata key of a file, and the attribute of a model, with the kind."""

WARNS_ON_IMPORT = ("torchao", "torch.utils._pytree")
"""Loggers that warn of each GPU kernel that cannot be loaded, and of torchao's own types."""


class QuantizationError(ValueError):
    """A model cannot be quantized; the message says why."""


def quantize(model: nn.Module, kind: str) -> list[str]:
    """Quantize the linear layers of a model in place. Returns the names of matrices that stay as
    they are, such as embeddings, tied heads and experts.

    Raises QuantizationError for an unknown kind, a model without linear layers, one that is
    quantized already, and without torchao.
    """
    if kind not in KINDS:
        raise QuantizationError(f"unknown kind `{kind}`; expected one of: {', '.join(KINDS)}")
    if hasattr(model, KEY):
        raise QuantizationError(f"the model is quantized already ({getattr(model, KEY)})")
    change, config = _torchao(kind)
    change(model, config)
    left, changed = [], 0
    for name, weight in model.named_parameters():
        changed += is_quantized(weight)
        if weight.ndim >= 2 and not is_quantized(weight):
            left.append(name)
    if not changed:
        raise QuantizationError("the model has no linear layers")
    setattr(model, KEY, kind)
    return left


def _torchao(kind: str) -> tuple[Callable[[nn.Module, Any], None], Any]:
    """The function that quantizes a model, and its argument for a kind."""
    for name in WARNS_ON_IMPORT:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        from torchao import quantization as ao
    except ImportError:
        raise QuantizationError("needs torchao; install modelwright[quantize]") from None
    configs = {
        "int8": lambda: ao.Int8WeightOnlyConfig(version=2),
        "int8-dynamic": lambda: ao.Int8DynamicActivationInt8WeightConfig(version=2),
        "float8": lambda: ao.Float8WeightOnlyConfig(),
    }
    return ao.quantize_, configs[kind]()


def is_quantized(tensor: Tensor) -> bool:
    """Whether a tensor is one of torchao."""
    return type(tensor).__module__.startswith("torchao.")


def parts(name: str, tensor: Tensor) -> dict[str, Tensor]:
    """The plain tensors of which a quantized one consists, by their names in a file."""
    keys = tensor.__tensor_flatten__()[0]  # type: ignore[attr-defined]
    return {f"{name}.{key}": getattr(tensor, key) for key in keys}


def flattened(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of plain tensors."""
    made: dict[str, Tensor] = {}
    for name, tensor in state.items():
        made |= parts(name, tensor) if is_quantized(tensor) else {name: tensor}
    return made


def kind_of(path: Path) -> str | None:
    """The kind of a quantized file; None for other files."""
    from safetensors import SafetensorError, safe_open

    if path.suffix != ".safetensors" or not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as file:
            kind: str | None = (file.metadata() or {}).get(KEY)
            return kind
    except (OSError, SafetensorError):  # reported by the reader of weights
        return None


def load_quantized(model: nn.Module, path: Path, kind: str) -> None:
    """Quantize a model that is not yet, and load a quantized file into it.

    Raises QuantizationError if they do not fit one another.
    """
    import torch
    from safetensors.torch import load_file

    if getattr(model, KEY, kind) != kind:
        raise QuantizationError(f"{path} is {kind}, but the model {getattr(model, KEY)}")
    if not hasattr(model, KEY):
        quantize(model, kind)
    stored, target = load_file(path), flattened(model.state_dict())
    wrong = [f"{name} is missing" for name in sorted(target.keys() - stored.keys())]
    wrong += [f"{name} is not in the model" for name in sorted(stored.keys() - target.keys())]
    wrong += [
        f"{name} has shape {tuple(stored[name].shape)}, not {tuple(tensor.shape)}"
        for name, tensor in target.items()
        if name in stored and stored[name].shape != tensor.shape
    ]
    if wrong:
        raise QuantizationError(f"{path} does not fit the model: {'; '.join(wrong[:3])}")
    with torch.no_grad():
        for name, tensor in target.items():
            tensor.copy_(stored[name])
