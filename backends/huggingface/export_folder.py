"""A spec and its weights become a folder that Hugging Face's tools load, train and save again."""

from __future__ import annotations

import json
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
from .folder import CONFIG
from .irrelevant import MARK
from .native import Native, find_native, native_tensors
from .wrapper import FAMILY, write_wrapper

if TYPE_CHECKING:
    from torch import Tensor, nn

TARGETS = ("huggingface",)
WEIGHTS = "model.safetensors"
GENERATION = "generation_config.json"


def export(
    source: Source,
    weights: str | Path | nn.Module,
    folder: str | Path,
    *,
    to: str = "huggingface",
    custom_code: bool = False,
    force: bool = False,
) -> Path:
    """Write a model and its weights as another library reads them.

    A spec that is an architecture of the library is written in the hub's layout of its family,
    which needs no code; any other, and with `custom_code` this one too, as `export_custom` does.

    Raises ValueError for a library that is not known, and what `export_custom` raises.
    """
    if to not in TARGETS:
        raise ValueError(f"models are exported to {' or '.join(TARGETS)}, not to {to}")
    spec = source.spec if isinstance(source, ModuleGraph) else spec_of(source)
    graph = source if isinstance(source, ModuleGraph) else lower(spec)
    native = None if custom_code else find_native(spec)
    if native is None:
        return export_custom(graph, weights, folder, force=force)
    return _export_native(native, graph, weights, Path(folder), force)


def spec_of(source: str | Path | ModelSpec) -> ModelSpec:
    """A spec, or what a file holds."""
    return source if isinstance(source, ModelSpec) else load(source)


def _export_native(
    native: Native, graph: ModuleGraph, weights: str | Path | nn.Module, folder: Path, force: bool
) -> Path:
    """Write config.json and model.safetensors as the library's own class would."""
    tensors = _fitting_weights(graph, weights)
    config = {**native.config, "dtype": _dtype(tensors), MARK: __version__}
    stored = native_tensors(native, graph, tensors)

    def fill(fresh: Path) -> None:
        from safetensors.torch import save_file

        (fresh / CONFIG).write_bytes(outputs.json_text(config))
        save_file(stored, fresh / WEIGHTS, metadata={"format": "pt"})

    outputs.write_folder(folder, fill, force=force, is_ours=_is_ours)
    return folder


def export_custom(
    source: Source, weights: str | Path | nn.Module, folder: str | Path, *, force: bool = False
) -> Path:
    """Write a folder that `transformers` loads with `trust_remote_code=True`; returns its path.

    It holds config.json, model.safetensors under the logical names, the emitted file as `build`
    writes it, and two files that make it a `PreTrainedModel`; none of them needs modelwright.

    source: a spec file, a spec or a graph
    weights: a safetensors file of its logical names, or a model that `compile` made
    force: replace a folder that was exported before

    Raises SpecErrors for a bad spec, ExportError for a model that Hugging Face's classes cannot
    hold, WeightsError for weights that do not fit, OutputError for a place that cannot be
    written. Nothing is left half written.
    """
    graph = graph_of(source)
    tensors = _fitting_weights(graph, weights)
    wrapper = write_wrapper(read_emitted(graph), _dtype(tensors))

    def fill(fresh: Path) -> None:
        from safetensors.torch import save_file

        for name, text in wrapper.texts.items():
            (fresh / name).write_text(text, encoding="utf-8")
        (fresh / CONFIG).write_bytes(outputs.json_text(wrapper.config))
        if wrapper.generation:
            (fresh / GENERATION).write_bytes(outputs.json_text(wrapper.generation))
        save_file(tensors, fresh / WEIGHTS, metadata={"format": "pt"})

    outputs.write_folder(Path(folder), fill, force=force, is_ours=_is_ours)
    return Path(folder)


def _fitting_weights(graph: ModuleGraph, weights: str | Path | nn.Module) -> dict[str, Tensor]:
    """The tensors by their logical names. Raises WeightsError for all that does not fit."""
    from ..pytorch.weights import check_shapes, read_tensors

    wanted = {weight.name: weight.shape for weight in graph.weights()}
    if isinstance(weights, (str, Path)):
        name, found = Path(weights).name, read_tensors(weights, wanted)
    else:
        state = weights.state_dict()
        name, found = (
            "the given model",
            {key: x.detach().cpu().contiguous() for key, x in state.items()},
        )
    check_shapes(wanted, {key: tuple(x.shape) for key, x in found.items()}, name)
    return found


def _dtype(tensors: dict[str, Tensor]) -> str:
    """What config.json calls the dtype of most numbers."""
    counts: dict[str, int] = {}
    for tensor in tensors.values():
        if not tensor.dtype.is_floating_point:
            raise ExportError(f"weights are floating-point numbers, not {tensor.dtype}")
        kind = str(tensor.dtype).removeprefix("torch.")
        counts[kind] = counts.get(kind, 0) + tensor.numel()
    return max(counts, key=counts.__getitem__, default="float32")


def _is_ours(folder: Path) -> bool:
    """Was this folder exported from here, or saved from a model that was?"""
    try:
        config: Any = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if not isinstance(config, dict):
        return False
    return MARK in config or str(config.get("model_type")).startswith(FAMILY)
