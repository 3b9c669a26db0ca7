"""Files of weights, read lazily: safetensors in one file or several, or a pickle of tensors."""

from __future__ import annotations

import json
import mmap
import pickle
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

SAFETENSORS = "model.safetensors"
PICKLE = "pytorch_model.bin"
Shape = tuple[int, ...]
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
)
"""What a reader of pickles may raise for a file that is none, or that holds more than tensors."""


@dataclass(frozen=True)
class Weights:
    """The tensors of a checkpoint: the shape of each, and the file that holds it.

    names: of the files, in the order in which they are read
    """

    files: tuple[Path, ...]
    shapes: Mapping[str, Shape]
    holders: Mapping[str, Path]
    dtypes: Mapping[str, str] = field(default_factory=dict)
    _headers: dict[Path, tuple[int, Any]] = field(default_factory=dict, repr=False)

    @property
    def place(self) -> Path:
        """What an error about a tensor names: the file, or the folder of several."""
        return self.files[0] if len(self.files) == 1 else self.files[0].parent

    @contextmanager
    def opened(self) -> Iterator[Callable[[str], Tensor]]:
        """A function that reads one tensor. Pages of the files are mapped, and read when used.

        Raises CheckpointError where a file turns out to be broken.
        """
        with ExitStack() as stack:
            readers = {path: _reader(path, stack) for path in self.files}

            def read(name: str) -> Tensor:
                tensor: Tensor = readers[self.holders[name]](name)
                return tensor

            yield read

    def unmapped(self, name: str, mapped: Tensor) -> Tensor:
        """The same tensor in memory of its own: the pages that it is mapped to stay unread.

        What is turned or cast on its way into a model would else be in memory twice, there and in
        those pages.
        """
        import torch

        if self.holders[name].suffix != ".safetensors" or not mapped.numel():
            return mapped
        with self._data(name) as (file, size):
            memory = mmap.mmap(-1, size)  # goes back to the system whole, leaving no gap
            if file.readinto(memoryview(memory)[:size]) != mapped.nbytes:
                raise CheckpointError(self.holders[name], [f"{name} is not whole in it"])
        return torch.frombuffer(memory, dtype=mapped.dtype, count=mapped.numel()).view(mapped.shape)

    def differ(self, one: str, other: str) -> bool:
        """Whether two tensors are there and hold other numbers, byte for byte."""
        if one not in self.shapes or other not in self.shapes:
            return False
        if self.shapes[one] != self.shapes[other]:
            return True
        if self.holders[one].suffix != ".safetensors":
            with self.opened() as read:
                return not bool((read(one) == read(other)).all())
        return any(a != b for a, b in zip(self._chunks(one), self._chunks(other), strict=False))

    def _chunks(self, name: str, size: int = 1 << 20) -> Iterator[bytes]:
        with self._data(name) as (file, left):
            for start in range(0, left, size):
                yield file.read(min(size, left - start))

    @contextmanager
    def _data(self, name: str) -> Iterator[tuple[BufferedReader, int]]:
        """The file of a tensor, at its first byte, and how many it has."""
        path = self.holders[name]
        with path.open("rb") as file:
            if path not in self._headers:
                (length,) = struct.unpack("<Q", file.read(8))
                self._headers[path] = 8 + length, json.loads(file.read(length))
            start, header = self._headers[path]
            begin, end = header[name]["data_offsets"]
            file.seek(start + begin)
            yield file, end - begin


MOST_JSON = 50_000_000  # bytes of config.json, or of an index


def read_json(path: Path) -> Any:
    """The data of a JSON file of a bounded size. Raises ValueError, and RecursionError."""
    with path.open("rb") as file:
        data = file.read(MOST_JSON + 1)
    if len(data) > MOST_JSON:
        raise ValueError(f"it is larger than {MOST_JSON:,} bytes")
    return json.loads(data.decode("utf-8"))


def find_weights(folder: Path) -> Weights | None:
    """The weights of a folder, None where there are none; no tensor is read.

    Safetensors are taken before pickles. Raises CheckpointError for a file that is broken, an
    index that is wrong, or a pickle that holds anything but tensors.
    """
    for name in (SAFETENSORS, PICKLE):
        if (folder / name).is_file():
            return _collected([folder / name])
        index = folder / f"{name}.index.json"
        if index.is_file():
            return _indexed(index)
    return None


def _collected(files: list[Path]) -> Weights:
    shapes: dict[str, Shape] = {}
    holders: dict[str, Path] = {}
    dtypes: dict[str, str] = {}
    for path in files:
        for name, (shape, dtype) in read_header(path).items():
            if name in holders:
                raise CheckpointError(path, [f"{name} stands in {holders[name].name} too"])
            shapes[name], holders[name], dtypes[name] = shape, path, dtype
    return Weights(tuple(files), shapes, holders, dtypes)


def _indexed(index: Path) -> Weights:
    """The weights of several files, which an index names."""
    try:
        said = read_json(index)["weight_map"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise CheckpointError(index, [f"it is no index of weights: {error!r}"]) from None
    if not isinstance(said, dict) or not said:
        raise CheckpointError(index, ["its `weight_map` must name a file for each tensor"])
    problems = []
    for name in sorted({str(file) for file in said.values()}):
        if Path(name).name != name or name in (".", ".."):
            problems.append(f"`{name}` is no name of a file beside it")
        elif not (index.parent / name).is_file():
            problems.append(f"{name} is missing")
    if problems:
        raise CheckpointError(index, problems)
    weights = _collected([index.parent / name for name in sorted(set(said.values()))])
    for name, file in said.items():
        if name not in weights.holders:
            problems.append(f"{name} is not in {file}, where the index has it")
        elif weights.holders[name].name != file:
            problems.append(f"{name} is in {weights.holders[name].name}, not in {file}")
    if problems:
        raise CheckpointError(index, problems)
    return weights


def read_header(path: Path) -> dict[str, tuple[Shape, str]]:
    """Name, shape and dtype of every tensor of a file; of safetensors only the header is read.

    The dtype is in the words of safetensors, such as `BF16`, or of torch for a pickle.
    """
    if path.suffix != ".safetensors":
        return {
            name: (tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
            for name, tensor in _unpickled(path).items()
        }
    from safetensors import safe_open

    try:
        with safe_open(path, framework="np") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            return {name: (tuple(s.get_shape()), s.get_dtype()) for name, s in slices.items()}
    except _broken_safetensors() as error:
        raise CheckpointError(path, [f"it is not a valid safetensors file: {error}"]) from None


def _broken_safetensors() -> tuple[type[Exception], ...]:
    """What safetensors may raise for a file that is not valid."""
    from safetensors import SafetensorError

    return (SafetensorError, OSError, OverflowError, RuntimeError, ValueError)


def _reader(path: Path, stack: ExitStack) -> Callable[[str], Any]:
    if path.suffix != ".safetensors":
        return _unpickled(path).__getitem__
    from safetensors import safe_open

    try:
        file = stack.enter_context(safe_open(path, framework="pt"))
    except _broken_safetensors() as error:
        raise CheckpointError(path, [f"it cannot be read: {error}"]) from None

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

    mapped = zipfile.is_zipfile(path)  # files from before torch 1.6 are none
    if mapped:
        _refuse_compressed(path)
    try:
        with warnings.catch_warnings(action="ignore"):
            loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except _BROKEN as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        said = next((line for line in reason if "GLOBAL" in line), *reason[:1])
        text = f"it is no file of tensors alone, and nothing else is read: {said.strip()}"
        raise CheckpointError(path, [text]) from None
    if not isinstance(loaded, dict):
        raise CheckpointError(path, [f"it must hold a mapping, not a {type(loaded).__name__}"])
    tensors = {name: tensor for name, tensor in loaded.items() if isinstance(tensor, torch.Tensor)}
    if len(tensors) != len(loaded):
        others = ", ".join(sorted(str(name) for name in loaded.keys() - tensors.keys()))
        raise CheckpointError(path, [f"it holds more than tensors: {others}"])
    size = path.stat().st_size
    for name, tensor in tensors.items():
        if tensor.numel() * tensor.element_size() > size:
            raise CheckpointError(path, [f"{name} is larger than the file"])
    return tensors


def _refuse_compressed(path: Path) -> None:
    """A small file must not become a large one: torch stores what it zips as it is."""
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except zipfile.BadZipFile as error:
        raise CheckpointError(path, [f"it is no file of tensors alone: {error}"]) from None
    packed = [part for part in parts if part.compress_type != zipfile.ZIP_STORED]
    if packed:
        raise CheckpointError(path, [f"{packed[0].filename} in it is compressed, and not read"])
