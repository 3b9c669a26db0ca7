"""`modelwright masks`: figures of attention masks."""

from __future__ import annotations

from pathlib import Path

import click

from .console import fail, write_result
from .options import (
    figure_option,
    force_option,
    format_option,
    load_graph,
    output_format,
    quiet,
    reads_spec,
    theme_option,
)

FORMATS = ("svg", "png", "pdf")


@click.command()
@reads_spec
@figure_option(FORMATS)
@format_option(FORMATS)
@click.option(
    "--tokens",
    type=click.IntRange(1, 512),
    help="Number of tokens to draw. [default: enough to show windows and blocks]",
)
@click.option(
    "--scale-down",
    "factor",
    type=click.IntRange(min=1),
    help="Divide window and block sizes by this. [default: chosen to fit; 1 is full size]",
)
@click.option(
    "--padding",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Number of padding tokens at the end.",
)
@click.option(
    "--kernel-blocks",
    is_flag=True,
    help="Distinguish computed-but-masked scores from skipped ones.",
)
@theme_option
@force_option
@quiet
def masks(
    spec: Path,
    sets: tuple[str, ...],
    output: Path,
    format: str | None,
    tokens: int | None,
    factor: int | None,
    padding: int,
    kernel_blocks: bool,
    theme: str,
    force: bool,
) -> None:
    """Draw the attention masks: one panel for each distinct mask.

    SPEC is a YAML file; `-` is stdin.

    \b
      modelwright masks gemma3_1b.yaml -o masks.svg
      modelwright masks bigbird_base.yaml -o masks.svg --tokens 64 --scale-down 16
      modelwright masks bigbird_base.yaml -o masks.svg --kernel-blocks
      modelwright masks gemma3_1b.yaml -o - | display

    Rows are queries and columns are keys; the colour of a cell is that of the part of the mask
    that allows it. The density is given at max_positions, or at 1024 tokens. Large masks are
    scaled down, which the figure states. Masks that depend on data (documents, a prefix) are
    drawn for an example.
    """
    kind = output_format(output, format, FORMATS)
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
        drawn = draw_masks(graph, kind, options)
    except DrawError as error:
        fail(str(error))
    write_result(output, drawn, force=force)
