"""Read a model folder: its config.json and the names of its weights."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...spec.names import MODEL_NAME, name_problem
from ..checkpoint_files import SAFETENSORS, Weights, find_weights, read_json
from ..checkpoint_readers import Shape
from .errors import CheckpointError

CONFIG = "config.json"
GENERATION = "generation_config.json"
ADAPTER = "adapter_config.json"
MODULES = "modules.json"
_OTHER_WEIGHTS = frozenset(
    [".bin", ".ckpt", ".gguf", ".h5", ".msgpack", ".npz", ".onnx", ".pt", ".pth", ".safetensors"]
)
_PART = re.compile(r"\w[\w-]{0,40}")
_SNAPSHOT = re.compile(r"[0-9a-f]{40}\Z")
_COMMON_NAMES = frozenset(["model", "checkpoint", "snapshot", "output", "pretrained", "weights"])


@dataclass(frozen=True)
class Folder:
    """A model folder: both configs, and where the weights are (None if there are none)."""

    path: Path
    config: dict[str, Any]
    found: Weights | None
    generation: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shapes(self) -> Mapping[str, Shape] | None:
        """Shape of each tensor; None without weights."""
        return None if self.found is None else self.found.shapes

    @property
    def weights(self) -> Weights:
        """Where the weights are. Raises CheckpointError if there are none."""
        if self.found is None:
            raise CheckpointError(self.path, [f"{SAFETENSORS} is missing{self._other_weights()}"])
        return self.found

    def _other_weights(self) -> str:
        """Files that look like weights in another format, for an error message."""
        found = sorted(p.name for p in self.path.iterdir() if p.suffix in _OTHER_WEIGHTS)
        more = ", …" if len(found) > 3 else ""
        if not found:
            return ""
        return f"; {', '.join(found[:3])}{more} is not read; rename or convert it"

    @property
    def later_modules(self) -> str:
        """A note about what sentence-transformers computes after the model; not imported."""
        modules = _json_or_none(self.path / MODULES)
        if not (isinstance(modules, list) and all(isinstance(part, dict) for part in modules)):
            return ""
        kinds = [(str(part.get("type")).rpartition(".")[2], part.get("path")) for part in modules]
        kinds = [kind for kind in kinds if kind[0].isidentifier() and kind[0] != "Transformer"][:8]
        names = [
            f"{name}{self._pooling(part) if name == 'Pooling' else ''}" for name, part in kinds
        ]
        return f"Not imported from {MODULES}: {', '.join(names)}" if names else ""

    def _pooling(self, part: object) -> str:
        """How the module in this folder pools, such as ` (mean_tokens)`; "" if it does not say."""
        if not isinstance(part, str) or not _PART.fullmatch(part):
            return ""
        config = _json_or_none(self.path / part / CONFIG)
        if not isinstance(config, dict):
            return ""
        start = "pooling_mode"
        older = [key.removeprefix(f"{start}_") for key, on in config.items() if on is True]
        mode = config.get(start) or [key for key in older if f"{start}_{key}" in config]
        found = [str(name) for name in (mode if isinstance(mode, list) else [mode])]
        found = [name for name in found if name.isidentifier()][:4]
        return f" ({' and '.join(found)})" if found else ""

    @property
    def keys(self) -> set[str]:
        """All keys of its config and of the config's parts."""
        return set(_keys(self.config))

    def without(self, keys: Collection[str]) -> Folder:
        """The folder without some keys of its config and of the config's parts."""
        return replace(self, config=_without(self.config, frozenset(keys))) if keys else self

    def differ(self, one: str, other: str, prefix: str) -> bool:
        """Whether the file contains both tensors, with or without the prefix, and they differ."""
        if self.found is None:
            return False
        found = [
            next((n for n in (name, prefix + name) if n in self.found.shapes), name)
            for name in (one, other)
        ]
        return self.found.differ(*found)

    @property
    def name(self) -> str:
        """A name for the model: that of the folder, unless it is generic, such as `model`."""
        parents = self.path.resolve().parents
        hub = parents[1].name.rpartition("--")[2] if len(parents) > 1 else ""
        last = str(self.config.get("_name_or_path", "")).rstrip("/").rpartition("/")[2]
        named = hub if _SNAPSHOT.match(self.path.resolve().name) else self.path.resolve().name
        for name in (named, last):
            if not name_problem(name, MODEL_NAME) and name.lower() not in _COMMON_NAMES:
                return name
        return str(self.config["model_type"]).replace("_", "-")


def _keys(config: Mapping[str, Any]) -> Iterator[str]:
    for key, value in config.items():
        yield key
        if isinstance(value, dict):
            yield from _keys(value)


def _without(config: Mapping[str, Any], keys: frozenset[str]) -> dict[str, Any]:
    return {
        key: _without(value, keys) if isinstance(value, dict) else value
        for key, value in config.items()
        if key not in keys
    }


def read_folder(path: str | Path) -> Folder:
    """Read config.json and, if there are weights, the names and shapes of the tensors.

    Raises CheckpointError for a missing or broken file.
    """
    path = Path(path)
    if not path.is_dir():
        raise CheckpointError(path, ["not a folder" if path.exists() else "no such folder"])
    if (path / ADAPTER).is_file():
        raise CheckpointError(
            path / ADAPTER,
            ["a PEFT adapter is not read: merge it into its base model (`merge_and_unload`) first"],
        )
    config = read_mapping(path / CONFIG)
    if config is None:
        raise CheckpointError(path, [f"{CONFIG} is missing{_instead(path)}"])
    found = find_weights(path)
    generation = read_mapping(path / GENERATION) or {}
    return Folder(path, config, found and found.unwrapped(), generation)


def _instead(path: Path) -> str:
    """What a folder without a config.json contains, for an error message."""
    inner = sorted(file.parent.name for file in path.glob(f"*/{CONFIG}"))
    if (path / MODULES).is_file() and inner:
        return f"; {MODULES} names the parts of a model: import that of the transformer, {inner[0]}"
    found = sorted(file.name for file in path.iterdir() if file.suffix in (".gguf", ".pth"))
    return f"; {found[0]} is not read; convert it" if found else ""


def read_mapping(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file; None if there is no such file. Raises CheckpointError."""
    if not path.is_file():
        return None
    try:
        config = read_json(path)
    except RecursionError:
        raise CheckpointError(path, ["the JSON is nested too deeply"]) from None
    except ValueError as error:
        raise CheckpointError(path, [f"not valid JSON: {error}"]) from None
    if not isinstance(config, dict):
        raise CheckpointError(path, [f"must contain a JSON object, not a {type(config).__name__}"])
    return config


def _json_or_none(path: Path) -> Any:
    """The content of a JSON file; None if there is none, or if it is not valid."""
    try:
        return read_json(path) if path.is_file() else None
    except (OSError, ValueError, RecursionError):
        return None
