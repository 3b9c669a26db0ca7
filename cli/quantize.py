"""`modelwright quantize`: quantize the linear layers of a trained model."""

from __future__ import annotations

from pathlib import Path

import click

from .console import fail, note, progress, refuse_inputs
from .options import WEIGHTS, force_option, load_spec, quiet, reads_spec


@click.command()
@reads_spec
@click.option("--weights", required=True, type=WEIGHTS, help="A checkpoint file or folder.")
@click.option(
    "--to",
    "kind",
    required=True,
    type=click.Choice(("int8", "int8-dynamic", "int4", "float8")),
    help="int8, int4, float8: the weights of linear layers; int8-dynamic: also their inputs.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder written by `modelwright data`; the loss on it is measured before and after.",
)
@click.option(
    "--samples",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="Number of samples on which the loss is measured.",
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
    help="Output file, with the suffix .safetensors.",
)
@force_option
@quiet
def quantize(
    spec: Path,
    sets: tuple[str, ...],
    weights: Path,
    kind: str,
    data: Path | None,
    samples: int,
    length: int | None,
    output: Path,
    force: bool,
) -> None:
    """Quantize the linear layers of a model, and with int8 also tied heads.

    SPEC is a YAML file; `-` is stdin. Needs `pip install modelwright[quantize]`.

    \b
      modelwright quantize gpt.yaml --weights run/weights.safetensors --to int8 -o int8.safetensors
      modelwright generate gpt.yaml --weights int8.safetensors --tokenizer tokenizer.json …

    Other embeddings and experts are not quantized; the command prints which, and why.
    """
    if output.suffix != ".safetensors":
        fail(f"{output}: the suffix must be .safetensors")
    refuse_inputs(output)
    if output.exists() and not force:
        fail(f"{output} exists; not overwritten (use --force)")
    read = load_spec(spec, sets)
    from ..backends.pytorch import WeightsError, save_weights
    from ..backends.pytorch.quantized import QuantizationError, slow_because
    from ..training.errors import TrainingError
    from ..training.quantizing import quantize_spec

    try:
        with progress("quantizing"):
            made = quantize_spec(read, weights, kind, data, samples=samples, length=length)
        save_weights(made.model, output)
    except (QuantizationError, TrainingError, WeightsError) as error:
        fail(str(error))
    note(f"wrote {output}: {output.stat().st_size / 2**20:,.1f} MiB")
    for reason in dict.fromkeys(made.left.values()):
        names = ", ".join(name for name, why in made.left.items() if why == reason)
        note(f"  not quantized: {names} ({reason})")
    if reason := slow_because(made.model):
        note(f"  slower than float32 on this CPU: {reason}")
    if made.before is not None:
        note(f"  loss {made.before:.4f} -> {made.after:.4f}, divergence {made.divergence:.2e} nats")
