"""`compile`: the file that `build` writes, imported without being written."""

from __future__ import annotations

import builtins
import hashlib
import linecache
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ...compiler import ModuleGraph, lower
from ...spec import load
from ...spec.model import ModelSpec
from .file import Emitted, emit_file, module_name
from .grouped import require_grouped_mm
from .options import BuildOptions, Experts
from .pickling import carry_text

if TYPE_CHECKING:
    import torch
    from torch import nn

Source = str | Path | ModelSpec | ModuleGraph


def graph_of(source: Source, sets: Sequence[str] = ()) -> ModuleGraph:
    """The graph of a spec file, a spec, or a graph itself."""
    if isinstance(source, ModuleGraph):
        return source
    spec = source if isinstance(source, ModelSpec) else load(source, sets=tuple(sets))
    return lower(spec)


def emit(
    graph: ModuleGraph,
    *,
    gradient_checkpointing: bool = False,
    join_projections: bool = False,
    static_cache: bool = False,
    experts: Experts = "split",
) -> str:
    """The text of the PyTorch file of a graph, with the options of `BuildOptions`.

    Raises BuildError where an option does not go with the spec.
    """
    options = BuildOptions(gradient_checkpointing, join_projections, static_cache, experts)
    return emit_file(graph, options).text


def compile(  # noqa: A001 - the public name is mw.compile
    source: Source,
    *,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    seed: int | None = 0,
    sets: Sequence[str] = (),
    gradient_checkpointing: bool = False,
    join_projections: bool = False,
    static_cache: bool = False,
    experts: Experts = "split",
) -> nn.Module:
    """The model of a spec: the class in the built file, instantiated.

    `device` may be "cpu", "cuda", "meta" …; `dtype` a torch dtype or its name ("bfloat16").
    `seed` seeds the fresh weights and leaves the global generator as it was; None draws them from
    it. The last four are explained at `BuildOptions`. Raises SpecErrors for a bad
    spec, BuildError for options that do not go with it.
    """
    graph = graph_of(source, sets)
    options = BuildOptions(gradient_checkpointing, join_projections, static_cache, experts)
    emitted = emit_file(graph, options)
    if options.experts == "grouped":
        require_grouped_mm(dtype_of(dtype))
    return instantiate(emitted, graph.name, device=device, dtype=dtype, seed=seed)


def instantiate(
    emitted: Emitted,
    name: str,
    *,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    seed: int | None = 0,
) -> nn.Module:
    """The emitted class, made on a device in a dtype with seeded weights."""
    import torch

    module = import_text(emitted.text, name)
    kind = dtype_of(dtype)
    place = torch.device(device) if device is not None else torch.device("cpu")
    before = torch.get_default_dtype()
    devices = [place] if place.type == "cuda" else []
    with torch.random.fork_rng(devices=devices, enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        try:
            torch.set_default_dtype(kind or before)
            with place:
                made: type[nn.Module] = getattr(module, emitted.class_name)
                return undrawn(made) if place.type == "meta" else made()
        finally:
            torch.set_default_dtype(before)


def dtype_of(dtype: str | torch.dtype | None) -> torch.dtype | None:
    """The floating dtype of this name. Raises ValueError where there is none."""
    import torch

    kind = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    floating = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
    if dtype is not None and kind not in floating:
        raise ValueError(f"dtype must be float32, bfloat16, float16 or float64, not {dtype}")
    return kind


def undrawn(kind: type[nn.Module]) -> nn.Module:
    """The model without the drawing of its weights, which have no values on the meta device.

    That drawing is a call for each expert of each layer: ten seconds of DeepSeek-V3's. What torch's
    own modules draw before it is left out too.
    """
    from .undrawn import Undrawn

    with Undrawn():
        model: nn.Module = type(kind.__name__, (kind,), {"init_weights": lambda model: None})()
    model.__class__ = kind
    return model


def import_text(text: str, name: str) -> ModuleType:
    """The text as an imported module. It is in `linecache`, so that tracebacks show it.

    Objects of its classes can be pickled: the text is in the pickle, and imported where it is read.
    """
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    full = f"modelwright_built.{module_name(name)}_{digest}"
    if full in sys.modules:
        return sys.modules[full]
    parent = sys.modules.setdefault("modelwright_built", ModuleType("modelwright_built"))
    module = ModuleType(full)
    path = f"<{full}>"
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
    module.__file__ = path
    sys.modules[full] = module
    try:
        exec(builtins.compile(text, path, "exec"), module.__dict__)
        carry_text(module, text, name, rebuild)
    except BaseException:
        del sys.modules[full]
        raise
    setattr(parent, full.rpartition(".")[2], module)
    return module


def rebuild(text: str, name: str, class_name: str, *arguments: Any) -> object:
    """An empty object of a class of a text, for reading pickles."""
    kind: Any = getattr(import_text(text, name), class_name)
    return kind.__new__(kind, *arguments)
