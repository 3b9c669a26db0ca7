"""`compile`: the file that `build` writes, imported without being written."""

from __future__ import annotations

import builtins
import hashlib
import linecache
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Unpack

from ...compiler import ModuleGraph, lower
from ...spec import load
from ...spec.model import ModelSpec
from .file import Emitted, emit_file, module_name
from .grouped import require_grouped_mm
from .options import BuildKeywords, build_options
from .pickling import carry_text
from .provenance import remember

if TYPE_CHECKING:
    import torch
    from torch import nn

Source = str | Path | ModelSpec | ModuleGraph


def graph_of(source: Source, sets: Sequence[str] = ()) -> ModuleGraph:
    """The graph of a spec file or a spec; a graph is returned as it is."""
    if isinstance(source, ModuleGraph):
        return source
    spec = source if isinstance(source, ModelSpec) else load(source, sets=tuple(sets))
    return lower(spec)


def emit(graph: ModuleGraph, **options: Unpack[BuildKeywords]) -> str:
    """The source text of the PyTorch file of a graph, with the options of `BuildOptions`.

    Raises BuildError for an option that does not fit the spec.
    """
    return emit_file(graph, build_options(**options)).text


def compile(  # noqa: A001 - the public name is mw.compile
    source: Source,
    *,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    seed: int | None = 0,
    sets: Sequence[str] = (),
    **options: Unpack[BuildKeywords],
) -> nn.Module:
    """Build a model: instantiate the class of the file that `build` writes, with fresh weights.

    device: "cpu", "cuda", "meta", …; default: "cpu"
    dtype: a torch dtype or its name, such as "bfloat16"; default: torch's default dtype
    seed: seed of the weights; the global random state is not changed. None uses this state
    sets: changes of the spec, such as "layers=6"

    options: `gradient_checkpointing`, `join_projections`, `static_cache`, `experts`, `kernel`,
        `attention_weights` and `beam_search`, as for `build`

    Tracebacks and debuggers show the source text.

    Raises SpecErrors for a bad spec, BuildError for options that do not fit it.
    """
    graph = graph_of(source, sets)
    chosen = build_options(**options)
    emitted = emit_file(graph, chosen)
    if chosen.experts == "grouped":
        require_grouped_mm(dtype_of(dtype))
    model = instantiate(emitted, graph.name, device=device, dtype=dtype, seed=seed)
    return remember(model, graph, chosen)


def instantiate(
    emitted: Emitted,
    name: str,
    *,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    seed: int | None = 0,
) -> nn.Module:
    """An instance of the emitted class on a device, in a dtype, with seeded weights."""
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
                return skip_init(made) if place.type == "meta" else made()
        finally:
            torch.set_default_dtype(before)


def dtype_of(dtype: str | torch.dtype | None) -> torch.dtype | None:
    """The torch dtype of this name. Raises ValueError unless it is a supported floating type."""
    import torch

    kind = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    floating = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
    if dtype is not None and kind not in floating:
        raise ValueError(f"dtype must be float32, bfloat16, float16 or float64, not {dtype}")
    return kind


def skip_init(kind: type[nn.Module]) -> nn.Module:
    """Instantiate a model on the meta device without initialising its weights.

    Initialisation has no effect on the meta device, but makes one call per expert and layer (10 s
    for DeepSeek-V3). The default initialisation of torch's own modules is skipped too.
    """
    from .skip_init import SkipInit

    with SkipInit():
        model: nn.Module = type(kind.__name__, (kind,), {"init_weights": lambda model: None})()
    model.__class__ = kind
    return model


def import_text(text: str, name: str) -> ModuleType:
    """Import a source text as a module; `linecache` has the text, so that tracebacks show it.

    Objects of its classes can be pickled: the pickle contains the text, which is imported when it
    is loaded.
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
    """An empty object of a class in a source text, for unpickling."""
    kind: Any = getattr(import_text(text, name), class_name)
    return kind.__new__(kind, *arguments)
