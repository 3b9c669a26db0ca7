"""A model folder as it lies on disk: its config.json and the names of its weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...spec.names import MODEL_NAME, name_problem
from .errors import CheckpointError
from .files import SAFETENSORS, Shape, Weights, find_weights, read_json

CONFIG = "config.json"
_SNAPSHOT = re.compile(r"[0-9a-f]{40}\Z")
_COMMON_NAMES = frozenset(["model", "checkpoint", "snapshot", "output", "pretrained", "weights"])


@dataclass(frozen=True)
class Folder:
    """What was read: the config, and where the weights are (None: there are none)."""

    path: Path
    config: dict[str, Any]
    found: Weights | None

    @property
    def shapes(self) -> Mapping[str, Shape] | None:
        """The shape of each tensor, None where there is no file of weights."""
        return None if self.found is None else self.found.shapes

    @property
    def weights(self) -> Weights:
        """Where the weights are. Raises CheckpointError where there are none."""
        if self.found is None:
            raise CheckpointError(self.path, [f"{SAFETENSORS} is missing"])
        return self.found

    def differ(self, one: str, other: str, prefix: str) -> bool:
        """Whether the file holds both tensors, with or without the prefix, and they differ."""
        if self.found is None:
            return False
        found = [
            next((n for n in (name, prefix + name) if n in self.found.shapes), name)
            for name in (one, other)
        ]
        return self.found.differ(*found)

    @property
    def name(self) -> str:
        """A name for the model: the folder's, unless it says nothing, as `model` does."""
        parents = self.path.resolve().parents
        hub = parents[1].name.rpartition("--")[2] if len(parents) > 1 else ""
        said = str(self.config.get("_name_or_path", "")).rstrip("/").rpartition("/")[2]
        named = hub if _SNAPSHOT.match(self.path.resolve().name) else self.path.resolve().name
        for name in (named, said):
            if not name_problem(name, MODEL_NAME) and name.lower() not in _COMMON_NAMES:
                return name
        return str(self.config["model_type"]).replace("_", "-")


def read_folder(path: str | Path) -> Folder:
    """Read config.json, and the names in the files of weights if there are any; no tensor.

    Raises CheckpointError for a missing or broken file.
    """
    path = Path(path)
    if not path.is_dir():
        raise CheckpointError(path, ["there is no such folder"])
    return Folder(path, _read_config(path), find_weights(path))


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    if not path.is_file():
        raise CheckpointError(folder, [f"{CONFIG} is missing: a model folder begins with it"])
    try:
        config = read_json(path)
    except RecursionError:
        raise CheckpointError(path, ["it is nested too deeply"]) from None
    except ValueError as error:
        raise CheckpointError(path, [f"it is no JSON: {error}"]) from None
    if not isinstance(config, dict):
        raise CheckpointError(path, [f"it must hold a mapping, not a {type(config).__name__}"])
    return config
