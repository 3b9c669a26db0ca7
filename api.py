"""Functions of the package that take a spec, its path or its graph.

Each function imports its module when it is called, so that importing the package is fast.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from .backends.diagram import DrawOptions
    from .backends.diagram.attention import AttentionOptions
    from .backends.diagram.masks import MaskOptions
    from .backends.pytorch.attention_maps import AttentionMaps
    from .backends.pytorch.options import BuildKeywords
    from .backends.verify.report import Report as Verification
    from .compiler import ModuleGraph
    from .compiler.difference_text import Difference
    from .compiler.plan import Plan
    from .compiler.report import Report
    from .explorer.widget import Explorer
    from .spec import ModelSpec
    from .training.pruning import Pruned

    Source = str | Path | ModelSpec | ModuleGraph


_specs: WeakKeyDictionary[ModuleGraph, ModelSpec] = WeakKeyDictionary()
"""Graph -> spec, for graphs that `lower` returned, since graphs do not contain the spec."""


def lower(source: Source) -> ModuleGraph:
    """Lower a spec to its graph of ops.

    source: a spec, the path of its file, or a graph, which is returned as it is

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


def show(source: Source, graph: ModuleGraph | None = None) -> str:
    """The spec as YAML with all values and defaults, and a comment with the origin of each.

    The output is a spec itself, of the same model. Options that would be errors if they were
    written, since nothing uses them, are comments, and so are derived values.

    graph: of this spec, which says what it uses; None: the spec is lowered for that

    Raises SpecErrors for a file with errors, TypeError for a graph that `lower` did not return.
    """
    from .compiler.display import show as shown

    return shown(_spec(source), graph)


def to_yaml(source: Source) -> str:
    """The spec as YAML with all values and defaults; `loads` reads it as a spec of the same model.

    Blocks that no layer uses and options without effect are omitted, so the specs can differ in
    these.

    Raises SpecErrors for a file with errors, TypeError for a graph that `lower` did not return.
    """
    from .compiler.display import to_yaml as written

    return written(_spec(source))


def emit(source: Source, *, loader: str | None = None, **options: Unpack[BuildKeywords]) -> str:
    """The source text of the PyTorch file that `modelwright build` writes.

    loader: "huggingface", "huggingface/MODEL_TYPE" or a model folder; the file then also has a
        function `load_checkpoint` and a table of the names of published weights
    options: `gradient_checkpointing`, `join_projections`, `static_cache`, `experts`, `kernel`,
        `attention_weights` and `beam_search`, as for `build`

    Raises SpecErrors for a bad spec, BuildError for an option that does not fit it, ExportError for
    an unknown `loader`.
    """
    from .backends.pytorch import emit_file
    from .backends.pytorch.options import build_options

    graph, chosen = lower(source), build_options(**options)
    if loader is not None:
        from .backends.huggingface.loader import loader_table

        chosen = replace(chosen, loader=loader_table(_spec(graph), graph, loader))
    return emit_file(graph, chosen).text


def report(
    source: Source,
    *,
    batch: int = 1,
    sequence: int | None = None,
    dtype: str = "float32",
    static_cache: bool = False,
) -> Report:
    """Parameters, FLOPs, activation memory and cache size, computed from the spec alone.

    batch: batch size
    sequence: sequence length in tokens; default: max_positions, at most 1024
    dtype: data type of weights, activations and cache: float32, float64, bfloat16 or float16
    static_cache: the cache of a file built with this option

    Raises SpecErrors for a bad spec, ValueError for other values.
    """
    from .compiler.report import report as report_graph

    return report_graph(lower(source), batch, sequence, dtype, static_cache=static_cache)


def plan(
    source: Source,
    *,
    tokens: float,
    device: str | None = None,
    numbers: Mapping[str, float] | None = None,
    **options: Any,
) -> Plan:
    """Memory, communication, time and cost of a training run, computed from the spec alone.

    tokens: tokens of the whole run; for a model with several stacks, tokens of each stack
    device: h100, a100, …; None for one described by `numbers`
    numbers: numbers of the device that replace those of the table: memory (bytes), peak (FLOP/s),
        read, link, network (bytes per second) and node (devices of a node)
    options: devices, parallel, batch, micro, sequence, precision, optimizer, recompute, mfu,
        headroom, price; see `modelwright.compiler.plan.Request`

    Raises SpecErrors for a bad spec, PlanError (a ValueError) for other values and for layouts that
    the model or the devices do not allow.
    """
    from .compiler.plan import Request, make_plan

    return make_plan(lower(source), Request(tokens=tokens, **options), device, numbers)


def draw(source: Source, format: str = "svg", options: DrawOptions | None = None) -> bytes:
    """Draw a model; identical layers are drawn once. Returns the bytes of the file.

    format: svg, png, pdf, dot (Graphviz) or mmd (Mermaid)

    Raises DrawError for an unknown format, or if the library for png or pdf is not installed.
    """
    from .backends.diagram import draw as draw_graph

    return draw_graph(lower(source), format, options)


def draw_masks(source: Source, format: str = "svg", options: MaskOptions | None = None) -> bytes:
    """Draw the attention masks of a model, one panel for each distinct mask. Returns the bytes of
    the file.

    format: svg, png or pdf

    Raises DrawError for an unknown format, and for a model without attention.
    """
    from .backends.diagram.masks import draw_masks as draw_graph

    return draw_graph(lower(source), format, options)


def draw_attention(
    maps: AttentionMaps,
    tokens: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
    format: str = "svg",
    options: AttentionOptions | None = None,
    *,
    layers: Collection[int] = (),
    heads: Collection[int] = (),
    only: str = "",
    sequence: int = 0,
) -> bytes:
    """Draw attention maps: up to six with their tokens, more as a sheet of layers and heads.

    tokens: labels of queries and keys, by stack if there are several; default: their indices
    format: svg, png or pdf
    layers, heads: draw these only; default: all
    only: draw only maps whose name contains this, such as `cross_attention`
    sequence: index of the sequence in the batch

    Returns the bytes of the file. Raises DrawError for an unknown format, and where no map or too
    many are left.
    """
    from itertools import chain

    from .backends.diagram.attention import HeatMap, draw_heat_maps
    from .backends.diagram.options import DrawError

    several = len({*chain(*maps.stacks.values())}) > 1
    stacks = maps.stacks if several else dict.fromkeys(maps.stacks, ("", ""))
    chosen = []
    for name, weights in maps.items():
        numbers = [int(part) for part in name.split(".") if part.isdigit()]
        if only not in name or (layers and not {*numbers} & {*layers}):
            continue
        both = [
            _labels(tokens, stack, length)
            for stack, length in zip(maps.stacks[name], weights.shape[-2:], strict=True)
        ]
        of_heads = weights[sequence].float().tolist()
        chosen += [
            HeatMap(name, head, rows, both[0], both[1], stacks[name])
            for head, rows in enumerate(of_heads)
            if not heads or head in heads
        ]
    if maps and not chosen:
        wanted = [f"layer {n}" for n in layers] + [f"head {n}" for n in heads] + [only]
        raise DrawError(
            f"no attention map matches {', '.join(filter(None, wanted))}; available: "
            f"{', '.join(f'{name} ({weights.size(1)} heads)' for name, weights in maps.items())}"
        )
    return draw_heat_maps(chosen, format, options)


def _labels(
    tokens: Sequence[str] | Mapping[str, Sequence[str]] | None, stack: str, length: int
) -> tuple[str, ...]:
    """The words for the tokens of a stack; numbers for those without."""
    from collections.abc import Mapping

    found = tokens.get(stack, ()) if isinstance(tokens, Mapping) else tokens or ()
    return (*found[:length], *(str(place) for place in range(len(found), length)))


def difference(
    before: Source, after: Source, names: tuple[str, str] = ("before", "after"), **sizes: Any
) -> Difference:
    """Compare two specs, including defaults, and their costs.

    names: names of the two specs in the text
    sizes: batch, sequence and dtype; as for `report`

    Raises SpecErrors for a bad spec, ValueError for other values.
    """
    from .compiler.difference_text import difference as compare

    return compare(_spec(before), _spec(after), names, **sizes)


def explore(
    source: Source | None = None,
    *,
    weights: str | Path | None = None,
    tokenizer: str | Path | None = None,
    height: int = 720,
) -> Explorer:
    """The page of `modelwright explore` as a notebook widget.

    source: None opens an example
    weights, tokenizer: a checkpoint and a tokenizer.json for the attention tab; without them,
        weights are random and tokens are bytes
    height: of the page, in pixels

    Its attribute `text` is the spec as it was edited last: `mw.loads(page.text)`.

    Raises ModuleNotFoundError without the extra `notebook`, PageMissingError in a clone whose page
    is not built, OSError for a file that cannot be read.
    """
    from .compiler import ModuleGraph

    try:
        from .explorer.widget import Explorer
    except ModuleNotFoundError as error:
        if error.name not in ("anywidget", "traitlets"):
            raise
        install = "pip install 'modelwright[notebook]'"
        raise ModuleNotFoundError(
            f"`mw.explore` needs {error.name}: {install}", name=error.name
        ) from None
    spec = _spec(source) if isinstance(source, ModuleGraph) else source
    return Explorer(spec, weights=weights, tokenizer=tokenizer, height=height)


def verify(source: Source, **options: Any) -> Verification:
    """Test the compiled model against a reference implementation and known invariants.

    options: weights, device, dtype, full_size, sets, seed, laws, …; see
        `modelwright.backends.verify.verify`

    Raises SpecErrors for a bad spec, WeightsError for weights that do not fit, UnknownError for an
    unavailable device or unknown invariant.
    """
    from .backends.verify import verify as verify_spec
    from .compiler import ModuleGraph

    return verify_spec(_spec(source) if isinstance(source, ModuleGraph) else source, **options)


def train(source: Source, data: str | Path, output: str | Path, **options: Any) -> Path:
    """Train a model on data written by `modelwright data`, or resume a run. Returns the run folder.

    data: folder with the token files
    output: folder of the run, for the model, the training script, the log and the weights
    options: weights, recipe, devices, settings such as steps, batch and lr, and for distillation
        `teacher` (a spec) and `teacher_weights`; see `modelwright.training.runs.train`

    Raises SpecErrors for a bad spec, TrainingError when the run cannot be prepared or fails.
    """
    from .training.runs import train as train_spec

    if options.get("teacher") is not None:
        options["teacher"] = _spec(options["teacher"])
    return train_spec(_spec(source), data, output, **options)


def prune(
    source: Source, weights: str | Path, data: str | Path, output: str | Path, **options: Any
) -> Pruned:
    """Write a smaller spec and its weights, without the parts that matter least to the loss.

    weights: a checkpoint file or folder
    data: folder written by `modelwright data`
    output: path of the spec; the weights have the suffix `.safetensors`
    options: heads and d_ff (such as "25%" or "4"), layers, samples, length; see
        `modelwright.training.pruning.prune`

    Raises SpecErrors for a bad spec, WeightsError for weights that do not fit, TrainingError for a
    model from which these parts cannot be removed, OutputError for a file that cannot be written.
    """
    from .training.pruning import prune as prune_spec
    from .training.pruning import write_pruned

    made = prune_spec(_spec(source), Path(weights), Path(data), **options)
    write_pruned(made, Path(output))
    return made


def _spec(source: Source) -> ModelSpec:
    """The spec of a file, of a graph that `lower` returned, or the spec itself."""
    from .compiler import ModuleGraph
    from .spec import ModelSpec, load

    if isinstance(source, ModuleGraph):
        if source not in _specs:
            raise TypeError("this graph was not made by modelwright.lower; give its spec instead")
        return _specs[source]
    return source if isinstance(source, ModelSpec) else load(source)
