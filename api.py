"""The functions of the package that take a spec, its file or its graph.

Each imports its module when it is called, so that importing the package stays cheap.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from .backends.diagram import DrawOptions
    from .backends.diagram.masks import MaskOptions
    from .backends.verify.report import Report as Verification
    from .compiler import ModuleGraph
    from .compiler.difference_text import Difference
    from .compiler.report import Report
    from .spec import ModelSpec

    Source = str | Path | ModelSpec | ModuleGraph


_specs: WeakKeyDictionary[ModuleGraph, ModelSpec] = WeakKeyDictionary()
"""The spec of each graph that `lower` made, since a graph itself holds none."""


def lower(source: Source) -> ModuleGraph:
    """The graph of a spec, of a spec file, or the graph itself.

    Raises SpecErrors for a file with errors.
    """
    from .compiler import ModuleGraph
    from .compiler import lower as lower_spec
    from .spec import ModelSpec, load

    if isinstance(source, ModuleGraph):
        return source
    spec = source if isinstance(source, ModelSpec) else load(source)
    graph = lower_spec(spec)
    _specs[graph] = spec
    return graph


def emit(source: Source, *, loader: str | None = None, **options: Any) -> str:
    """The text of the PyTorch file that `modelwright build` writes.

    loader: "huggingface", "huggingface/MODEL_TYPE" or a model folder: also write `load_checkpoint`,
        with a table of the names of published weights
    options: gradient_checkpointing, join_projections, static_cache and experts, as those of `build`

    Raises BuildError when an option does not fit the spec, ExportError for names that are unknown.
    """
    from .backends.pytorch import BuildOptions, emit_file

    graph, chosen = lower(source), BuildOptions(**options)
    if loader is not None:
        from .backends.huggingface.loader import loader_table

        chosen = replace(chosen, loader=loader_table(_spec(graph), graph, loader))
    return emit_file(graph, chosen).text


def report(
    source: Source, *, batch: int = 1, sequence: int | None = None, dtype: str = "float32"
) -> Report:
    """Parameters, FLOPs, activation memory and cache size.

    batch: batch size
    sequence: length in tokens; default: max_positions, at most 1024
    dtype: of weights, activations and cache
    """
    from .compiler.report import report as report_graph

    return report_graph(lower(source), batch=batch, sequence=sequence, dtype=dtype)


def draw(source: Source, format: str = "svg", options: DrawOptions | None = None) -> bytes:
    """The figure of a model.

    format: svg, png, pdf, dot or mmd (Mermaid)

    Raises DrawError for an unknown format, or when the library for png or pdf is missing.
    """
    from .backends.diagram import draw as draw_graph

    return draw_graph(lower(source), format, options)


def draw_masks(source: Source, format: str = "svg", options: MaskOptions | None = None) -> bytes:
    """The attention masks of a model, one panel for each distinct mask.

    format: svg, png or pdf

    Raises DrawError for an unknown format, and for a model without attention.
    """
    from .backends.diagram.masks import draw_masks as draw_graph

    return draw_graph(lower(source), format, options)


def difference(
    before: Source, after: Source, names: tuple[str, str] = ("before", "after"), **sizes: Any
) -> Difference:
    """What differs between two specs, including defaults, and the cost of it.

    names: what the text calls the two specs
    sizes: batch, sequence and dtype, as those of `report`
    """
    from .compiler.difference_text import difference as compare

    return compare(_spec(before), _spec(after), names, **sizes)


def verify(source: Source, **options: Any) -> Verification:
    """Test the compiled model against a reference implementation and known invariants.

    options: weights, device, dtype, full_size, sets, seed, laws; see
        `modelwright.backends.verify.verify`

    Raises SpecErrors, WeightsError, or UnknownError for an unknown device or invariant.
    """
    from .backends.verify import verify as verify_spec
    from .compiler import ModuleGraph

    return verify_spec(_spec(source) if isinstance(source, ModuleGraph) else source, **options)


def train(source: Source, data: str | Path, output: str | Path, **options: Any) -> Path:
    """Train a model on a folder of `modelwright data`, or resume a run; the folder of the run.

    output: folder of the run; it has the model, the training script, the log and the weights
    options: weights, recipe, devices, and settings such as steps, batch and lr; see
        `modelwright.training.runs.train`

    Raises SpecErrors, or TrainingError when the run cannot be prepared or ends with an error.
    """
    from .training.runs import train as train_spec

    return train_spec(_spec(source), data, output, **options)


def _spec(source: Source) -> ModelSpec:
    """The spec of a file or of a graph that `lower` made, or the spec itself."""
    from .compiler import ModuleGraph
    from .spec import ModelSpec, load

    if isinstance(source, ModuleGraph):
        if source not in _specs:
            raise TypeError("this graph was not made by modelwright.lower; give its spec instead")
        return _specs[source]
    return source if isinstance(source, ModelSpec) else load(source)
