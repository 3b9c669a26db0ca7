"""Write a spec and its weights as a folder that Hugging Face's tools load, train and save."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import outputs
from ...compiler import ModuleGraph, lower
from ...spec import ModelSpec, load
from ...version import __version__
from ..pytorch import graph_of
from ..pytorch.compile import Source
from .emitted import read_emitted
from .errors import ExportError
from .folder import CONFIG, GENERATION
from .imported import logical_weights
from .irrelevant import MARK
from .native import Native, find_native, native_tensors
from .quantized_folder import kind_of_weights, quantized_weights
from .spec_text import FAMILY
from .special_tokens import generation_tokens
from .tokenizer_files import (
    NAMES,
    checked_tokenizer,
    copy_tokenizer,
    generation_of,
    is_model_folder,
)
from .wrapper import write_wrapper

if TYPE_CHECKING:
    from torch import Tensor, nn

TARGETS = ("huggingface",)
WEIGHTS = "model.safetensors"
PLAIN = {"format": "pt"}
"""Metadata of files of plain tensors."""
SAVED = r"model(-\d+-of-\d+)?\.safetensors(\.index\.json)?"
"""Names of files of weights."""


def export(
    source: Source,
    weights: str | Path | nn.Module,
    folder: str | Path,
    *,
    to: str = "huggingface",
    custom_code: bool = False,
    tokenizer: str | Path | None = None,
    force: bool = False,
) -> Path:
    """Write a model and its weights as a folder for Hugging Face tools. Returns its path.

    A spec (or its file) whose architecture exists in `transformers` is written in the format of
    that class, without code. Otherwise, and with `custom_code=True`, or for a graph or quantized
    weights, the folder is written by `export_custom`, whose arguments are the same.

    Raises ValueError for an unknown `to`, and the errors of `export_custom`.
    """
    if to not in TARGETS:
        raise ValueError(f"unknown export format `{to}`; expected one of: {', '.join(TARGETS)}")
    if custom_code or isinstance(source, ModuleGraph) or kind_of_weights(weights):
        return export_custom(source, weights, folder, tokenizer=tokenizer, force=force)
    spec = spec_of(source)
    native = find_native(spec)
    if native is None:
        return export_custom(spec, weights, folder, tokenizer=tokenizer, force=force)
    return _export_native(native, lower(spec), weights, Path(folder), tokenizer, force)


def spec_of(source: str | Path | ModelSpec) -> ModelSpec:
    """The spec itself, or the one in a file."""
    return source if isinstance(source, ModelSpec) else load(source)


def _export_native(
    native: Native,
    graph: ModuleGraph,
    weights: str | Path | nn.Module,
    folder: Path,
    tokenizer: str | Path | None,
    force: bool,
) -> Path:
    """Write config.json and model.safetensors in the format of a `transformers` class."""
    beside = _folder_beside(weights, tokenizer)
    tensors = _fitting_weights(graph, weights)
    config = {**native.config, "dtype": _dtype(tensors), MARK: __version__}
    stored = native_tensors(native, graph, tensors)
    pair = bool(native.config.get("is_encoder_decoder"))
    generation = generation_tokens(graph, pair) if native.generates else {}
    files = {CONFIG: outputs.json_text(config)}
    _write_folder(folder, files, generation, stored, beside, force)
    return folder


def export_custom(
    source: Source,
    weights: str | Path | nn.Module,
    folder: str | Path,
    *,
    tokenizer: str | Path | None = None,
    force: bool = False,
) -> Path:
    """Write a folder that `transformers` loads with `trust_remote_code=True`. Returns its path.

    It contains config.json, model.safetensors with the logical names, the file that `build` writes,
    and two files that wrap it as a `PreTrainedModel`. None of them imports modelwright. The spec is
    stored in config.json, so that the folder can be imported again; this does not hold for a folder
    made from a graph.

    source: a spec, the path of its file, or a graph
    weights: a checkpoint with logical names, which may be quantized, a Hugging Face folder of this
        model, or a model returned by `compile`
    tokenizer: folder from which the tokenizer and generation_config.json are copied; default: that
        of the weights
    force: replace a folder that was exported before

    Raises SpecErrors for a bad spec, ExportError for a model that cannot be a Hugging Face class,
    WeightsError and CheckpointError for weights that do not fit, OutputError for a folder that
    cannot be written. On errors nothing is left behind.
    """
    spec = None if isinstance(source, ModuleGraph) else spec_of(source)
    graph = graph_of(source if spec is None else spec)
    beside = _folder_beside(weights, tokenizer)
    kind = kind_of_weights(weights)
    if kind is None:
        floats = tensors = _fitting_weights(graph, weights)
        metadata: Mapping[str, str] = PLAIN
        more: Mapping[str, Any] = {}
    else:
        floats, tensors, metadata, more = quantized_weights(graph, weights, kind)
    wrapper = write_wrapper(read_emitted(graph), _dtype(floats), spec)
    files = {name: text.encode() for name, text in wrapper.texts.items()}
    files[CONFIG] = outputs.json_text({**wrapper.config, **more})
    _write_folder(Path(folder), files, wrapper.generation, tensors, beside, force, metadata)
    return Path(folder)


def _write_folder(
    folder: Path,
    files: Mapping[str, bytes],
    generation: Mapping[str, Any],
    tensors: dict[str, Tensor],
    beside: Path | None,
    force: bool,
    metadata: Mapping[str, str] = PLAIN,
) -> None:
    """Write the folder under a temporary name, then rename it."""
    merged = generation_of(beside, generation) if beside and generation else generation

    def fill(fresh: Path) -> None:
        from ..tensor_files import write_tensors

        for name, data in files.items():
            (fresh / name).write_bytes(data)
        if merged:
            (fresh / GENERATION).write_bytes(outputs.json_text(dict(merged)))
        if beside is not None:
            copy_tokenizer(beside, fresh)
        write_tensors(tensors, fresh / WEIGHTS, metadata)

    outputs.write_folder(folder, fill, force=force, is_ours=_is_ours, is_own=_is_own)


def _folder_beside(weights: str | Path | nn.Module, tokenizer: str | Path | None) -> Path | None:
    """The folder from which the tokenizer and generation_config.json are copied, or None."""
    if tokenizer is not None:
        return checked_tokenizer(Path(tokenizer))
    if isinstance(weights, (str, Path)) and is_model_folder(Path(weights)):
        return Path(weights)
    return None


def _fitting_weights(graph: ModuleGraph, weights: str | Path | nn.Module) -> dict[str, Tensor]:
    """The tensors by logical name. Raises WeightsError, which lists all mismatches."""
    from ..pytorch.weights import WeightsError, check_shapes, read_tensors

    wanted = {weight.name: weight.shape for weight in graph.weights()}
    if isinstance(weights, (str, Path)) and is_model_folder(Path(weights)):
        name, found = Path(weights).name, logical_weights(weights, wanted)
    elif isinstance(weights, (str, Path)):
        name, found = Path(weights).name, read_tensors(weights, wanted)
    else:
        name, state = "the given model", weights.state_dict()
        if any(x.is_meta for x in state.values()):
            raise WeightsError("the given model is on the meta device: it has no weights to export")
        found = {key: x.detach().cpu().contiguous() for key, x in state.items()}
    check_shapes(wanted, {key: tuple(x.shape) for key, x in found.items()}, name)
    return found


def _dtype(tensors: dict[str, Tensor]) -> str:
    """The most common dtype, by its name in config.json."""
    counts: dict[str, int] = {}
    for tensor in tensors.values():
        if not tensor.dtype.is_floating_point:
            raise ExportError(f"weights must be floating-point tensors, not {tensor.dtype}")
        kind = str(tensor.dtype).removeprefix("torch.")
        counts[kind] = counts.get(kind, 0) + tensor.numel()
    return max(counts, key=counts.__getitem__, default="float32")


def _is_ours(folder: Path) -> bool:
    """Whether the folder was exported by Modelwright, or saved from such a model."""
    try:
        config: Any = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if not isinstance(config, dict):
        return False
    return MARK in config or str(config.get("model_type")).startswith(FAMILY)


def _is_own(path: Path) -> bool:
    """Whether a file of an exported folder is one that an export or `save_pretrained` writes."""
    if path.suffix == ".py":
        return "modelwright" in path.read_text(encoding="utf-8", errors="replace").lower()
    names = (CONFIG, GENERATION, "__pycache__", *NAMES)
    return path.name in names or re.fullmatch(SAVED, path.name) is not None
