"""`modelwright build`: write the PyTorch file of a spec."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from .console import fail, note, print_result, refuse_inputs, write_result
from .options import OUTPUT, force_option, load_spec, quiet, reads_spec

if TYPE_CHECKING:
    from ..backends.pytorch.loader import Loader
    from ..compiler import ModuleGraph
    from ..spec import ModelSpec


@click.command()
@reads_spec
@click.option("-o", "--output", required=True, type=OUTPUT, help="Output file; `-` is stdout.")
@click.option(
    "--map",
    "with_map",
    is_flag=True,
    help="Also write FILE.map.json, which maps each line to its op and spec key.",
)
@click.option(
    "--gradient-checkpointing",
    is_flag=True,
    help="Recompute activations in the backward pass (less memory, more time).",
)
@click.option(
    "--join-projections",
    is_flag=True,
    help="Fuse linear layers with the same input; checkpoints keep their names.",
)
@click.option(
    "--static-cache",
    is_flag=True,
    help="Allocate the whole key-value cache up front, so that torch.compile compiles one step.",
)
@click.option(
    "--attention-weights",
    is_flag=True,
    help="Compute the attention weights (B, H, T, S) and pass them through modules `weights`, for "
    "forward hooks.",
)
@click.option(
    "--beam-search",
    is_flag=True,
    help="Add the method `beam_search` of an encoder-decoder.",
)
@click.option(
    "--loader",
    metavar="NAMES",
    help="Also write `load_checkpoint`, which reads published weights. NAMES is `huggingface`, "
    "`huggingface/MODEL_TYPE`, or a model folder.",
)
@click.option(
    "--experts",
    type=click.Choice(["split", "grouped"]),
    default="split",
    show_default=True,
    help="Compute experts one by one (`split`) or with torch's grouped_mm (`grouped`: faster, "
    "needs PyTorch 2.10).",
)
@click.option(
    "--kernel",
    type=click.Choice(["auto", "dense", "tiles", "flex"]),
    default="auto",
    show_default=True,
    help="Compute sparse masks as one dense mask, in tiles of queries with the keys that they may "
    "attend to, or with FlexAttention (`flex`: needs CUDA). `auto` uses the spec's "
    "`attention.kernel`, by default the faster one; `inspect --kernels` prints the choice.",
)
@force_option
@quiet
def build(
    spec: Path,
    sets: tuple[str, ...],
    output: Path,
    with_map: bool,
    gradient_checkpointing: bool,
    join_projections: bool,
    static_cache: bool,
    attention_weights: bool,
    beam_search: bool,
    loader: str | None,
    experts: Literal["split", "grouped"],
    kernel: Literal["auto", "dense", "tiles", "flex"],
    force: bool,
) -> None:
    """Write the model as a PyTorch file that imports only torch.

    SPEC is a YAML file; `-` is stdin.

    \b
      modelwright build gpt2.yaml -o gpt2.py
      modelwright build gpt2.yaml -o small.py --set layers=6 --map
      python -c "from gpt2 import Gpt2; print(Gpt2())"

    An output file that was modified by hand is not overwritten without --force.
    """
    from .. import outputs

    to_stdout = str(output) == "-"
    if with_map and (to_stdout or outputs.is_stream(output)):
        fail("--map writes a file beside the output file; use it with -o FILE.py")
    refuse_inputs(output)
    read = load_spec(spec, sets)
    from ..backends.pytorch import BuildError, BuildOptions, emit_file, is_ours_unedited
    from ..compiler import lower

    graph = lower(read)
    table = None if loader is None else _table(read, graph, loader)
    try:
        options = BuildOptions(
            gradient_checkpointing,
            join_projections,
            static_cache,
            experts,
            table,
            kernel,
            attention_weights,
            beam_search,
        )
        emitted = emit_file(graph, options)
    except BuildError as error:
        fail(str(error))
    if to_stdout:
        print_result(emitted.text.encode())
        return
    outputs.write(
        output,
        emitted.text.encode(),
        force=force,
        is_ours=lambda there: is_ours_unedited(there.decode(errors="replace")),
    )
    note(f"wrote {output}: class {emitted.class_name}")
    if emitted.without_generate:
        note(f"{emitted.class_name} has no `generate`: {emitted.without_generate}")
    if with_map:
        source_map = outputs.json_text(emitted.source_map)
        write_result(output.with_suffix(".map.json"), source_map, force=force)


def _table(spec: ModelSpec, graph: ModuleGraph, word: str) -> Loader:
    """The table of names for --loader."""
    from ..backends.huggingface import CheckpointError, ExportError
    from ..backends.huggingface.loader import loader_table

    try:
        return loader_table(spec, graph, word)
    except (CheckpointError, ExportError) as error:
        fail(str(error))
