"""Quantized weights in exported folders, as `transformers` saves models that torchao quantized.

A tensor `layers.0.up.weight` is stored as its parts, such as `layers.0.up._weight_qdata`; the
metadata of the file has its type, and config.json the kind of quantization. Tied heads are stored
as floats, since `transformers` does not look up rows of quantized embeddings.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ...compiler import ModuleGraph
from ..pytorch.quantized import KEY, is_quantized, kind_of, torchao_config

if TYPE_CHECKING:
    from torch import Tensor, nn

QUANTIZED = "quantization_config"
"""Key of config.json."""
MODEL = "model"
"""Attribute of the wrapper with the emitted model."""


class QuantizedWeights(NamedTuple):
    """Weights of an exported folder.

    floats: all weights, dequantized, by logical name
    tensors, metadata: what the file contains
    config: what is added to config.json
    """

    floats: dict[str, Tensor]
    tensors: dict[str, Tensor]
    metadata: dict[str, str]
    config: dict[str, Any]


def kind_of_weights(weights: str | Path | nn.Module) -> str | None:
    """The kind of quantization of a file or model; None for floats."""
    if isinstance(weights, (str, Path)):
        return kind_of(Path(weights))
    kind: str | None = getattr(weights, KEY, None)
    return kind


def quantized_weights(
    graph: ModuleGraph, weights: str | Path | nn.Module, kind: str
) -> QuantizedWeights:
    """The weights of a quantized file or model. Raises WeightsError if they do not fit."""
    from torch import nn

    from ..pytorch import compile as compile_model
    from ..pytorch import load_weights
    from ..pytorch.weights import check_shapes

    if isinstance(weights, nn.Module):
        model = weights
    else:
        model = load_weights(compile_model(graph), weights)
    state = {key: tensor.detach().cpu() for key, tensor in model.state_dict().items()}
    wanted = {weight.name: weight.shape for weight in graph.weights()}
    check_shapes(wanted, {key: tuple(x.shape) for key, x in state.items()}, "the given model")
    tables = {
        f"{key}.weight" for key, module in model.named_modules() if isinstance(module, nn.Embedding)
    }
    return _stored(state, tables, kind)


def _stored(state: dict[str, Tensor], tables: Collection[str], kind: str) -> QuantizedWeights:
    """tables: names of embeddings"""
    from torchao.core.config import config_to_dict
    from torchao.prototype.safetensors.safetensors_support import flatten_tensor_state_dict

    floats = {
        key: x.dequantize() if is_quantized(x) else x.contiguous() for key, x in state.items()
    }
    saved = {
        f"{MODEL}.{key}": floats[key] if key in tables else torchao_tensor(x)
        for key, x in state.items()
    }
    tensors, metadata = flatten_tensor_state_dict(saved)
    config = {
        "quant_method": "torchao",
        "quant_type": {"default": config_to_dict(torchao_config(kind))},
        "modules_to_not_convert": sorted(
            f"{MODEL}.{key.removesuffix('.weight')}"
            for key, x in state.items()
            if x.ndim == 2 and key not in tables and not is_quantized(x)
        ),
    }
    stored = {key: x.contiguous() for key, x in tensors.items()}
    return QuantizedWeights(floats, stored, metadata | {"format": "pt"}, {QUANTIZED: config})


def torchao_tensor(x: Tensor) -> Tensor:
    """A tensor of torchao instead of our class of the same parts."""
    from torchao.quantization import Int8Tensor

    if not isinstance(x, Int8Tensor):
        return x
    names, attributes = x.__tensor_flatten__()
    parts = {name: getattr(x, name) for name in names}
    made: Tensor = Int8Tensor.__tensor_unflatten__(parts, attributes, None, None)
    return made
