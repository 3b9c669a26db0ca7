"""`modelwright prune`: remove heads, hidden units and layers of a trained model."""

from __future__ import annotations

from pathlib import Path

import click

from .console import fail, note, progress, refuse_inputs
from .options import WEIGHTS, force_option, load_spec, quiet, reads_spec


@click.command()
@reads_spec
@click.option("--weights", required=True, type=WEIGHTS, help="A checkpoint file or folder.")
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder written by `modelwright data`, on which importance is measured.",
)
@click.option(
    "--heads",
    default="",
    metavar="N|P%",
    help="How many of all attention heads to remove, e.g. 25% or 4. Groups of heads with one "
    "key-value head are removed together.",
)
@click.option(
    "--d-ff",
    default="",
    metavar="N|P%",
    help="How many hidden units of each feed-forward to remove, e.g. 30% or 512.",
)
@click.option(
    "--layers",
    type=click.IntRange(min=1),
    help="How many layers to remove.",
)
@click.option(
    "--samples",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="Number of samples on which importance is measured.",
)
@click.option(
    "--length",
    type=click.IntRange(min=1),
    help="Sequence length in tokens. [default: max_positions, at most 1024]",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Output spec; its weights are written beside it, with the suffix .safetensors.",
)
@force_option
@quiet
def prune(
    spec: Path,
    sets: tuple[str, ...],
    weights: Path,
    data: Path,
    heads: str,
    d_ff: str,
    layers: int | None,
    samples: int,
    length: int | None,
    output: Path,
    force: bool,
) -> None:
    """Remove the heads, hidden units and layers that matter least.

    SPEC is a YAML file; `-` is stdin.

    \b
      modelwright prune gpt.yaml --weights run/weights.safetensors --data tokens \\
          --heads 25% --d-ff 30% --layers 2 -o small.yaml
      modelwright train small.yaml --weights small.safetensors --data tokens -o again

    The smaller model is compared with the larger one, in which the removed parts are set to zero,
    before it is written. Train it further to regain accuracy.
    """
    from ..outputs import is_stream

    if str(output) == "-" or is_stream(output):
        fail("the weights are written beside the spec; use -o FILE.yaml")
    beside = output.with_suffix(".safetensors")
    refuse_inputs(output, beside)
    if beside.exists() and not (force or output.exists()):  # beside a spec, they are its weights
        fail(f"{beside} exists; not overwritten (use --force)")
    read = load_spec(spec, sets)
    from ..backends.pytorch.weights import WeightsError
    from ..training.errors import TrainingError
    from ..training.pruning import prune as prune_spec
    from ..training.pruning import write_pruned

    try:
        with progress("pruning"):
            made = prune_spec(
                read,
                weights,
                data,
                heads=heads,
                d_ff=d_ff,
                layers=layers or 0,
                samples=samples,
                length=length,
            )
        write_pruned(made, output, force=force)
    except (TrainingError, WeightsError) as error:
        fail(str(error))
    note(f"wrote {output} and {output.with_suffix('.safetensors')}")
    note(f"  removed {made.removed['heads']} heads, {made.removed['d_ff']} hidden units")
    for name, left in made.layers.items():
        of = f" of {name}" if len(made.layers) > 1 else ""
        note(f"  remaining layers{of}, numbered from 1: {', '.join(str(n + 1) for n in left)}")
    note(f"  loss {made.before:.4f} -> {made.after:.4f}")
