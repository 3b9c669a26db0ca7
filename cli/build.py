"""`modelwright build`: the PyTorch file."""

from __future__ import annotations

from pathlib import Path

import click

from .options import OUTPUT, force_option, load_graph, quiet, reads_spec
from .speaking import fail, note, put


@click.command()
@reads_spec
@click.option("-o", "--output", required=True, type=OUTPUT, help="The file; `-` is stdout.")
@click.option(
    "--map", "with_map", is_flag=True, help="Also write FILE.map.json: what each line comes from."
)
@click.option(
    "--gradient-checkpointing",
    is_flag=True,
    help="In training, compute each layer's inside again instead of keeping it.",
)
@click.option(
    "--join-projections",
    is_flag=True,
    help="Compute linear layers that read the same as one; checkpoints stay as they are.",
)
@click.option(
    "--static-cache",
    is_flag=True,
    help="Give the cache its full size from the first step on: a step is compiled once.",
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
    force: bool,
) -> None:
    """Write the model as a PyTorch file that imports torch only.

    \b
      modelwright build gpt2.yaml -o gpt2.py
      modelwright build gpt2.yaml -o small.py --set layers=6 --map
      python -c "from gpt2 import Gpt2; print(Gpt2())"

    A file that was edited since it was written is left alone without --force.
    """
    graph = load_graph(spec, sets)
    from .. import outputs
    from ..backends.pytorch import BuildError, BuildOptions, emit_file, is_ours_unedited

    options = BuildOptions(gradient_checkpointing, join_projections, static_cache)
    try:
        emitted = emit_file(graph, options)
    except BuildError as error:
        fail(str(error))
    if str(output) == "-":
        if with_map:
            fail("--map writes its file beside the output: give one with -o FILE.py")
        click.echo(emitted.text, nl=False)
        return
    outputs.write(
        output,
        emitted.text.encode(),
        force=force,
        is_ours=lambda there: is_ours_unedited(there.decode(errors="replace")),
    )
    note(f"wrote {output}: class {emitted.class_name}")
    if with_map:
        put(output.with_suffix(".map.json"), outputs.json_text(emitted.source_map), force=force)
