"""`modelwright build`: write the PyTorch file of a spec."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from .console import fail, note, print_result, write_result
from .options import OUTPUT, force_option, load_graph, quiet, reads_spec


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
    "--experts",
    type=click.Choice(["split", "grouped"]),
    default="split",
    show_default=True,
    help="Multiply by the matrices of experts one by one, or with torch's grouped_mm "
    "(faster; PyTorch 2.10).",
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
    experts: Literal["split", "grouped"],
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
    graph = load_graph(spec, sets)
    from ..backends.pytorch import BuildError, BuildOptions, emit_file, is_ours_unedited

    try:
        options = BuildOptions(gradient_checkpointing, join_projections, static_cache, experts)
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
    if with_map:
        source_map = outputs.json_text(emitted.source_map)
        write_result(output.with_suffix(".map.json"), source_map, force=force)
