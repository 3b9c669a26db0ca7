"""A model folder as it lies on disk: its config.json and the names in its model.safetensors."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...spec.names import MODEL_NAME, name_problem
from .errors import CheckpointError

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
_PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json", "model.pt", "model.ckpt")
_SNAPSHOT = re.compile(r"[0-9a-f]{40}\Z")
_COMMON_NAMES = frozenset(["model", "checkpoint", "snapshot", "output", "pretrained", "weights"])


@dataclass(frozen=True)
class Folder:
    """What was read: the config, and the shape of each tensor (None: there is no weights file)."""

    path: Path
    config: dict[str, Any]
    shapes: dict[str, tuple[int, ...]] | None

    @property
    def weights(self) -> Path:
        """The safetensors file. Raises CheckpointError, saying why, where there is none."""
        if self.shapes is None:
            raise CheckpointError(self.path, [_why_no_weights(self.path)])
        return self.path / WEIGHTS

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
        return str(self.config["model_type"])


def read_folder(path: str | Path) -> Folder:
    """Read config.json, and the header of model.safetensors if it is there; no tensor.

    Raises CheckpointError for a missing or broken file.
    """
    path = Path(path)
    if not path.is_dir():
        raise CheckpointError(path, ["there is no such folder"])
    config = _read_config(path)
    shapes = read_shapes(path / WEIGHTS) if (path / WEIGHTS).is_file() else None
    return Folder(path, config, shapes)


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    if not path.is_file():
        raise CheckpointError(folder, [f"{CONFIG} is missing: a model folder begins with it"])
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise CheckpointError(path, ["it is nested too deeply"]) from None
    except ValueError as error:
        raise CheckpointError(path, [f"it is no JSON: {error}"]) from None
    if not isinstance(config, dict):
        raise CheckpointError(path, [f"it must hold a mapping, not a {type(config).__name__}"])
    return config


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of a safetensors file, from its header."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            names = list(file.keys())
            return {name: tuple(file.get_slice(name).get_shape()) for name in names}
    except SafetensorError as error:
        raise CheckpointError(path, [f"it is no whole safetensors file: {error}"]) from None


def _why_no_weights(folder: Path) -> str:
    if (folder / f"{WEIGHTS}.index.json").exists():
        return f"its weights are in several files, which are not read yet: only one {WEIGHTS}"
    pickles = [name for name in _PICKLES if (folder / name).exists()]
    if pickles:
        return (
            f"{pickles[0]} is a pickle, which can run code when it is read: only {WEIGHTS} is read"
        )
    return f"{WEIGHTS} is missing"
