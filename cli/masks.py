"""`modelwright masks`: pictures of what each attention may see."""

from __future__ import annotations

from pathlib import Path

import click

from .options import OUTPUT, force_option, load_graph, quiet, reads_spec
from .speaking import fail, put

FORMATS = ("svg", "png", "pdf")
THEMES = ("auto", "light", "dark", "print")


@click.command()
@reads_spec
@click.option(
    "-o",
    "--output",
    required=True,
    type=OUTPUT,
    help=f"Its suffix says which: {', '.join(FORMATS)}.",
)
@click.option(
    "--tokens",
    type=click.IntRange(1, 512),
    help="How many are drawn. [default: so many that windows and blocks can be seen]",
)
@click.option(
    "--scale-down",
    "factor",
    type=click.IntRange(min=1),
    help="Divide sizes by this; 1 draws them as they are. [default: so that they can be seen]",
)
@click.option(
    "--padding",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="So many tokens at the end are padding.",
)
@click.option(
    "--kernel-blocks",
    is_flag=True,
    help="Tell scores that the kernel computes and throws away from those it never computes.",
)
@click.option(
    "--theme",
    type=click.Choice(THEMES),
    default="auto",
    show_default=True,
    help="auto is light, and dark on a dark page.",
)
@force_option
@quiet
def masks(
    spec: Path,
    sets: tuple[str, ...],
    output: Path,
    tokens: int | None,
    factor: int | None,
    padding: int,
    kernel_blocks: bool,
    theme: str,
    force: bool,
) -> None:
    """Draw what each attention may see: a panel for every distinct mask.

    \b
      modelwright masks gemma3.yaml -o masks.svg
      modelwright masks bigbird.yaml -o masks.svg --tokens 64 --scale-down 16
      modelwright masks bigbird.yaml -o masks.svg --kernel-blocks

    Rows are queries, columns keys; a pair has the colour of the atom that admits it. The share of
    scores is that at max_positions, or at 1024 tokens. Large sizes are drawn smaller, and the
    picture says so; what depends on data (documents, a prefix) is drawn for an example.
    """
    format = output.suffix.lower().removeprefix(".")
    if format not in FORMATS:
        fail(f"{output}: the suffix says what to draw: one of {', '.join(FORMATS)}")
    graph = load_graph(spec, sets)
    from ..backends.diagram import DrawError
    from ..backends.diagram.masks import MaskOptions, draw_masks

    try:
        options = MaskOptions(
            tokens=tokens,
            factor=factor,
            padding=padding,
            kernel_blocks=kernel_blocks,
            theme=theme,
        )
        drawn = draw_masks(graph, format, options)
    except DrawError as error:
        fail(str(error))
    put(output, drawn, force=force)
