"""Reading one file of weights: safetensors, or a pickle of tensors; other kinds are named."""

from __future__ import annotations

import pickle
import re
import struct
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .checkpoint_errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

Shape = tuple[int, ...]
FLOATING = frozenset(["BF16", "F16", "F32", "F64", "bfloat16", "float16", "float32", "float64"])
"""The dtypes that weights may have, as safetensors and torch call them."""

_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_SUFFIXES = (".bin", ".ckpt", ".pkl", ".pt", ".pth")
_FOREIGN = {  # how a file begins -> what it is
    b"GGUF": "this is a GGUF file; use the original safetensors file",
    b"\x89HDF": "this is an HDF5 file (TensorFlow or Keras); use the safetensors file",
    b"\x93NUMPY": "this is a NumPy file; save it with `safetensors.numpy.save_file`",
    b"version https://git-lfs": "this is a Git LFS pointer, not the weights; run `git lfs pull`",
}
_BROKEN = (
    pickle.UnpicklingError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
"""What reading a pickle may raise for a file that is not one, or contains more than tensors."""


def is_pickle(path: Path) -> bool:
    """Whether it is what `torch.save` writes, by its first bytes or else by its suffix."""
    start = _start(path)
    json = start[8:9] == b"{"  # where safetensors begin, after the length of their header
    foreign = start.startswith(tuple(_FOREIGN))
    if json and not start.startswith(b"PK"):  # the length may look like the start of a pickle
        return False
    return start.startswith(_PICKLES) or (path.suffix in _SUFFIXES and not foreign)


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(32)


def _refuse_foreign(path: Path) -> None:
    start = _start(path)
    for begins, what in _FOREIGN.items():
        if start.startswith(begins):
            raise CheckpointError(path, [what])


QUANTIZATION = "quantization"
"""Metadata key of the files of `modelwright quantize`, with the kind."""


def quantized_problem(kind: str) -> str:
    """What is wrong with a file of `modelwright quantize` where float weights are needed."""
    return f"these weights are quantized ({kind}); give the float weights"


def _refuse_quantized(path: Path, metadata: Mapping[str, str]) -> None:
    if kind := metadata.get(QUANTIZATION):
        raise CheckpointError(path, [quantized_problem(kind)])


def not_floating(name: str, dtype: str) -> str | None:
    """What is wrong with a tensor of a dtype that weights cannot have: integers, masks, complex
    numbers, 8-bit floats. None for F16, BF16, F32 and F64.
    """
    if dtype in FLOATING:
        return None
    return (
        f"{name} has dtype {dtype}; only F16, BF16, F32 and F64 are supported, so a quantized "
        "checkpoint must be dequantized first"
    )


def read_header(path: Path) -> dict[str, tuple[Shape, str]]:
    """Name, shape and dtype of every tensor of a file; of safetensors only the header is read.

    The dtype is in the words of safetensors, such as `BF16`, or of torch for a pickle.
    """
    if is_pickle(path):
        return {
            name: (tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
            for name, tensor in _unpickled(path).items()
        }
    _refuse_foreign(path)
    from safetensors import safe_open

    try:
        with safe_open(path, framework="np") as file:
            _refuse_quantized(path, file.metadata() or {})
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            return {name: (tuple(s.get_shape()), s.get_dtype()) for name, s in slices.items()}
    except CheckpointError:
        raise
    except _broken_safetensors() as error:
        raise CheckpointError(path, [f"not a valid safetensors file: {error}"]) from None


def _broken_safetensors() -> tuple[type[Exception], ...]:
    """What safetensors may raise for a file that is not valid."""
    from safetensors import SafetensorError

    return (SafetensorError, OSError, OverflowError, RuntimeError, ValueError)


def tensor_reader(path: Path, stack: ExitStack) -> Callable[[str], Any]:
    """A function that reads one tensor of a file, which stays open until the stack is closed."""
    if is_pickle(path):
        return _unpickled(path).__getitem__
    from safetensors import safe_open

    try:
        file = stack.enter_context(safe_open(path, framework="pt"))
    except _broken_safetensors() as error:
        raise CheckpointError(path, [f"cannot be read: {error}"]) from None

    def read(name: str) -> Any:
        try:
            return file.get_tensor(name)
        except _broken_safetensors() as error:
            raise CheckpointError(path, [f"{name} cannot be read: {error}"]) from None

    return read


def _unpickled(path: Path) -> dict[str, Tensor]:
    """The tensors of a pickle, mapped. Nothing in it is run: anything but tensors is refused."""
    import warnings
    import zipfile

    import torch

    zipped = zipfile.is_zipfile(path)  # files from before torch 1.6 are none
    mapped = zipped and path.suffix != ".safetensors"
    if zipped:
        _refuse_compressed(path)
    try:
        with warnings.catch_warnings(action="ignore"), path.open("rb") as file:
            source = path if mapped else file  # a suffix decides about a path, too
            loaded = torch.load(source, map_location="cpu", weights_only=True, mmap=mapped)
    except _BROKEN as error:
        raise CheckpointError(path, [_pickle_problem(error)]) from None
    if not isinstance(loaded, dict):
        raise CheckpointError(path, [f"must contain a state dict, not a {type(loaded).__name__}"])
    tensors = {name: tensor for name, tensor in loaded.items() if isinstance(tensor, torch.Tensor)}
    if len(tensors) != len(loaded):
        others = ", ".join(sorted(str(name) for name in loaded.keys() - tensors.keys())[:20])
        why = f"contains entries that are not tensors: {others}; save only the model's state dict"
        raise CheckpointError(path, [why])
    size = path.stat().st_size
    for name, tensor in tensors.items():
        if not isinstance(name, str):
            raise CheckpointError(path, [f"names of tensors must be strings, not {name!r}"])
        if tensor.layout != torch.strided:
            layout = str(tensor.layout).removeprefix("torch.")
            raise CheckpointError(path, [f"{name} has the layout {layout}; save dense tensors"])
        if tensor.numel() * tensor.element_size() > size:
            raise CheckpointError(path, [f"{name} is larger than the file"])
    return tensors


_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")


def _pickle_problem(error: Exception) -> str:
    """The message of torch, without its advice to run whatever a file contains."""
    unread = _GLOBAL.search(str(error))
    if unread is not None:
        return (
            f"contains objects that are not tensors, which are not read: {unread[1]}; save only "
            "the model's state dict"
        )
    return "not a valid PyTorch checkpoint"


def _refuse_compressed(path: Path) -> None:
    """A small file must not become a large one: torch stores what it zips as it is."""
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except zipfile.BadZipFile as error:
        raise CheckpointError(path, [f"not a valid PyTorch checkpoint: {error}"]) from None
    packed = [part for part in parts if part.compress_type != zipfile.ZIP_STORED]
    if packed:
        raise CheckpointError(path, [f"{packed[0].filename} is compressed, which is not supported"])
