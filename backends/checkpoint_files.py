"""Files of weights, read lazily: safetensors in one file or several, or a pickle of tensors."""

from __future__ import annotations

import json
import mmap
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .checkpoint_errors import CheckpointError
from .checkpoint_readers import Shape, is_pickle, read_header, tensor_reader

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")
SAFETENSORS = "model.safetensors"
PICKLE = "pytorch_model.bin"
WRAPPERS = ("_orig_mod.", "module.")  # of torch.compile and of data parallelism


@dataclass(frozen=True)
class Weights:
    """The tensors of a checkpoint: the shape of each, and the file that holds it.

    names: of the files, in the order in which they are read
    wrapper: what each name begins with in the files, and not here, such as `module.`
    """

    files: tuple[Path, ...]
    shapes: Mapping[str, Shape]
    holders: Mapping[str, Path]
    dtypes: Mapping[str, str] = field(default_factory=dict)
    wrapper: str = ""
    _headers: dict[Path, tuple[int, Any]] = field(default_factory=dict, repr=False)

    @property
    def place(self) -> Path:
        """What an error about a tensor names: the file, or the folder of several."""
        return self.files[0] if len(self.files) == 1 else self.files[0].parent

    def unwrapped(self) -> Weights:
        """The weights without prefixes of wrappers that all names begin with."""
        for prefix in WRAPPERS:
            if self.shapes and all(name.startswith(prefix) for name in self.shapes):
                inner = replace(
                    self,
                    shapes=_inside(self.shapes, prefix),
                    holders=_inside(self.holders, prefix),
                    dtypes=_inside(self.dtypes, prefix),
                    wrapper=self.wrapper + prefix,
                )
                return inner.unwrapped()
        return self

    @contextmanager
    def opened(self) -> Iterator[Callable[[str], Tensor]]:
        """A function that reads one tensor. Pages of the files are mapped, and read when used.

        Raises CheckpointError where a file turns out to be broken.
        """
        with ExitStack() as stack:
            readers = {path: tensor_reader(path, stack) for path in self.files}

            def read(name: str) -> Tensor:
                tensor: Tensor = readers[self.holders[name]](self.wrapper + name)
                return tensor

            yield read

    def unmapped(self, name: str, mapped: Tensor) -> Tensor:
        """The same tensor in memory of its own: the pages that it is mapped to stay unread.

        What is turned or cast on its way into a model would else be in memory twice, there and in
        those pages.
        """
        import torch

        if is_pickle(self.holders[name]) or not mapped.numel():
            return mapped
        with self._data(name) as (file, size):
            memory = mmap.mmap(-1, size)  # goes back to the system whole, leaving no gap
            if file.readinto(memoryview(memory)[:size]) != mapped.nbytes:
                raise CheckpointError(self.holders[name], [f"{name} is truncated"])
        return torch.frombuffer(memory, dtype=mapped.dtype, count=mapped.numel()).view(mapped.shape)

    def differ(self, one: str, other: str) -> bool:
        """Whether two tensors are there and hold other numbers, byte for byte."""
        if one not in self.shapes or other not in self.shapes:
            return False
        if self.shapes[one] != self.shapes[other]:
            return True
        if is_pickle(self.holders[one]):
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
            begin, end = header[self.wrapper + name]["data_offsets"]
            file.seek(start + begin)
            yield file, end - begin


def _inside(table: Mapping[str, T], prefix: str) -> dict[str, T]:
    """A table of tensors without the prefix of their names."""
    return {name.removeprefix(prefix): value for name, value in table.items()}


MOST_JSON = 50_000_000  # bytes of config.json, or of an index


def read_json(path: Path) -> Any:
    """The data of a JSON file of a bounded size. Raises ValueError, and RecursionError."""
    with path.open("rb") as file:
        data = file.read(MOST_JSON + 1)
    if len(data) > MOST_JSON:
        raise ValueError(f"the file is larger than {MOST_JSON:,} bytes")
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
                raise CheckpointError(path, [f"{name} is also in {holders[name].name}"])
            shapes[name], holders[name], dtypes[name] = shape, path, dtype
    return Weights(tuple(files), shapes, holders, dtypes)


def _indexed(index: Path) -> Weights:
    """The weights of several files, which an index names."""
    try:
        weight_map = read_json(index)["weight_map"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise CheckpointError(index, [f"not a valid index of weights: {error!r}"]) from None
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(index, ["`weight_map` must be a mapping from tensors to file names"])
    problems = []
    for name in sorted({str(file) for file in weight_map.values()}):
        if Path(name).name != name or name in (".", ".."):
            problems.append(f"`{name}` is not the name of a file in the same folder")
        elif not (index.parent / name).is_file():
            problems.append(f"{name} is missing")
    if problems:
        raise CheckpointError(index, problems)
    weights = _collected([index.parent / name for name in sorted(set(weight_map.values()))])
    for name, file in weight_map.items():
        if name not in weights.holders:
            problems.append(f"{name} is not in {file}, which the index names")
        elif weights.holders[name].name != file:
            problems.append(
                f"{name} is in {weights.holders[name].name}, but the index names {file}"
            )
    if problems:
        raise CheckpointError(index, problems)
    return weights


_SHARD = re.compile(r"-\d{5}-of-(\d{5})\b")


def weights_at(path: Path) -> Weights:
    """The weights that a path names: a file, the index of several, or the folder of either.

    Raises CheckpointError for a folder without weights, and as `find_weights` does.
    """
    if path.is_dir():
        found = find_weights(path)
        if found is None:
            names = ", ".join(f"{stem}[.index.json]" for stem in (SAFETENSORS, PICKLE))
            raise CheckpointError(path, [f"the folder contains none of {names}"])
        return found
    if path.exists() and not path.is_file():
        raise CheckpointError(path, ["neither a file nor a folder"])
    if path.name.endswith(".index.json"):
        return _indexed(path)
    return _collected([path])


def shard_note(path: Path) -> str | None:
    """What to give in place of one of several files; None for the path of all weights."""
    shard = _SHARD.search(path.name)
    if shard is None or int(shard[1]) < 2:
        return None
    return f"{path.name} is one of {int(shard[1])} shards; give their folder, or the .index.json"
