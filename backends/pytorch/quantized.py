"""Quantized models, with torchao: linear layers and tied heads in 8 or 4 bits, and their files.

int8           weights in 8 bits, one scale per row
int8-dynamic   also the inputs, with one scale per token, computed when the model runs
int4           weights in 4 bits, one scale and zero point for 32 weights of a row; 8 bits in memory
float8         weights in float8 (e4m3), one scale per row

int8_weights.py has the products of int8 weights on the CPU. Tied heads are quantized to int8 only.

For int4, torchao has layouts that the kernels of one device read (of CPUs, of CUDA). The one here
runs on all devices, since it computes the weights from it for each product, which is slower. In a
file, two weights share a byte.

A file has for each quantized weight the tensors of which it consists, such as `NAME.qdata` and
`NAME.scale`, and the kind in its metadata. It is a safetensors file.
"""

from __future__ import annotations

import ast
import inspect
import logging
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checkpoint_readers import QUANTIZATION

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

KINDS = ("int8", "int8-dynamic", "int4", "float8")
"""Kinds of quantization."""
INT8 = KINDS[:2]
KEY = QUANTIZATION
"""Metadata key of a file, and the attribute of a model, with the kind."""

GROUP = 32
"""Weights of a row with a common scale, for int4."""
NIBBLES = ".qdata"
"""Suffix of the tensors that are packed in files of int4."""

WARNS_ON_IMPORT = ("torchao", "torch.utils._pytree")
"""Loggers that warn of each GPU kernel that cannot be loaded, and of torchao's own types."""


class QuantizationError(ValueError):
    """A model cannot be quantized; the message says why."""


def quantize(model: nn.Module, kind: str) -> dict[str, str]:
    """Quantize the linear layers and, to int8, the tied heads of a model in place. Returns the
    matrices that stay as they are, such as embeddings and experts, and why.

    Raises QuantizationError for an unknown kind, a device that does not support it, a model without
    linear layers that can be quantized, one that is quantized already, and without torchao.
    """
    if kind not in KINDS:
        raise QuantizationError(f"unknown kind `{kind}`; expected one of: {', '.join(KINDS)}")
    if hasattr(model, KEY):
        raise QuantizationError(f"the model is quantized already ({getattr(model, KEY)})")
    change, config = _torchao(), torchao_config(kind)
    if kind == "float8":
        for device in {weight.device for weight in model.parameters()}:
            check_float8(device)
    read = weights_read(model)
    left = {
        f"{name}.{key}".lstrip("."): reason
        for name, module in model.named_modules()
        for key, weight in module.named_parameters(recurse=False)
        if weight.ndim >= 2 and (reason := reason_against(module, kind, read))
    }
    if all(name in left for name, weight in model.named_parameters() if weight.ndim >= 2):
        reasons = "; ".join(f"{name}: {reason}" for name, reason in [*left.items()][:3])
        raise QuantizationError(f"no layer of the model can be quantized ({reasons})")
    chosen = [module for module in model.modules() if not reason_against(module, kind, read)]
    for module in chosen:
        _quantize_module(module, kind, change, config)
    setattr(model, KEY, kind)
    return left


def _quantize_module(
    module: nn.Module, kind: str, change: Callable[..., None], config: Any
) -> None:
    """Quantize the weight of a linear layer or an embedding."""
    from torch import nn

    weight: Any = module.weight
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
    linear.weight = weight
    change(linear, config)
    made: Any = linear.weight
    if kind in INT8:
        from .int8_weights import Int8Weight

        made = nn.Parameter(Int8Weight.of(made), requires_grad=False)
    module.weight = made


def reason_against(module: nn.Module, kind: str, read: Mapping[nn.Module, bool]) -> str:
    """Why the weights of a module cannot be quantized; empty if they can.

    read: see `weights_read`
    """
    from torch import nn

    if isinstance(module, nn.Embedding):
        return "" if kind in INT8 and read.get(module) else "an embedding"
    if not isinstance(module, nn.Linear):
        return "not a linear layer"
    if type(module).forward is not nn.Linear.forward or module in read:
        return "its weights are cast or read elsewhere"  # which torchao's tensors do not support
    if module.in_features == 1:
        return "its input is a single number"  # torchao's scales would have the shape of the weight
    if kind == "int4" and module.in_features % GROUP:
        return f"its input width ({module.in_features}) is not a multiple of {GROUP}"
    return ""


def weights_read(model: nn.Module) -> dict[nn.Module, bool]:
    """Modules of an emitted model whose weights the code of another module reads, and whether only
    as the weight of `F.linear`, as a tied head does."""
    from torch import nn

    found: dict[nn.Module, bool] = {}
    reads = {kind: _weights_read_by(kind) for kind in {type(module) for module in model.modules()}}
    for module in model.modules():
        for path, multiplied in reads[type(module)]:
            read: Any = module
            for name in path:
                read = getattr(read, name, None)
            if isinstance(read, nn.Module):
                found[read] = multiplied and found.get(read, True)
    return found


def _weights_read_by(module: type[nn.Module]) -> frozenset[tuple[tuple[str, ...], bool]]:
    """Paths of submodules in expressions of a class such as `self.decoder.state.weight`, and
    whether these are the second argument of `F.linear`."""
    if module.__module__.startswith("torch."):
        return frozenset()
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(module)))
    except (OSError, TypeError):
        return frozenset()  # a class without source
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and len(node.args) > 1]
    multiplied = [call.args[1] for call in calls if ast.unparse(call.func) == "F.linear"]
    return frozenset(
        (path, any(node is weight for weight in multiplied))
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "weight" and (path := _path(node.value))
    )


def _path(node: ast.expr) -> tuple[str, ...]:
    """The names after `self`; empty for other expressions."""
    if not isinstance(node, ast.Attribute):
        return ()
    start = node.value
    if isinstance(start, ast.Name):
        return (node.attr,) if start.id == "self" else ()
    above = _path(start)
    return (*above, node.attr) if above else ()


def check_float8(device: torch.device) -> None:
    """Raise QuantizationError for a device that has no float8."""
    import torch

    try:
        torch.ones(1, device=device).to(torch.float8_e4m3fn).to(torch.float32)
    except (RuntimeError, TypeError) as error:
        first = str(error).partition("\n")[0].partition(". ")[0]
        raise QuantizationError(f"{device} does not support float8 ({first})") from None


def _torchao() -> Callable[..., None]:
    """torchao's function that quantizes a model."""
    for name in WARNS_ON_IMPORT:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        from torchao import quantization as ao
    except ImportError:
        raise QuantizationError("needs torchao; install modelwright[quantize]") from None
    change: Callable[..., None] = ao.quantize_
    return change


def torchao_config(kind: str) -> Any:
    """The argument of torchao's function for a kind."""
    from torchao import quantization as ao

    configs: dict[str, Callable[[], Any]] = {
        "int8": lambda: ao.Int8WeightOnlyConfig(version=2),
        "int8-dynamic": lambda: ao.Int8DynamicActivationInt8WeightConfig(version=2),
        "int4": _int4,
        "float8": lambda: ao.Float8WeightOnlyConfig(),
    }
    return configs[kind]()


def _int4() -> Any:
    import torch
    from torchao import quantization as ao
    from torchao.quantization.granularity import PerGroup

    group: Any = PerGroup
    return ao.IntxWeightOnlyConfig(
        weight_dtype=getattr(torch, "int4"),  # noqa: B009
        granularity=group(GROUP),
        mapping_type=ao.MappingType.ASYMMETRIC,
    )


def is_quantized(tensor: Tensor) -> bool:
    """Whether a tensor is one of torchao."""
    return any(kind.__module__.startswith("torchao.") for kind in type(tensor).__mro__)


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


def packed(state: dict[str, Tensor], kind: str | None) -> dict[str, Tensor]:
    """The tensors of a file: of int4, two weights in a byte, the first in the lower four bits."""
    import torch

    if kind != "int4":
        return state
    made = dict(state)
    for name in [name for name in state if name.endswith(NIBBLES)]:
        weights = (state[name] + 8).to(torch.uint8)  # -8 … 7 -> 0 … 15
        made[name] = weights[:, ::2] | weights[:, 1::2] << 4
    return made


def unpacked(state: dict[str, Tensor], kind: str) -> dict[str, Tensor]:
    """The inverse of `packed`."""
    import torch

    if kind != "int4":
        return state
    made = dict(state)
    for name in [name for name in state if name.endswith(NIBBLES)]:
        pairs = torch.stack([state[name] & 15, state[name] >> 4], dim=-1)
        made[name] = pairs.flatten(1).to(torch.int8) - 8
    return made


def slow_because(model: nn.Module) -> str:
    """Why the products of an int8 model are those of torchao, which on the CPU are slower than in
    float32; empty if they are not."""
    if getattr(model, KEY, None) not in INT8 or next(model.parameters()).device.type != "cpu":
        return ""
    from .int8_weights import missing

    return missing()


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
    stored, target = unpacked(load_file(path), kind), flattened(model.state_dict())
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
    for weight in model.parameters():
        weight.__dict__.pop("_packed", None)  # changes are not counted in inference mode
