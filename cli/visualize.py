"""`modelwright visualize`: draw a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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

FIGURES = ("svg", "png", "pdf", "dot", "mmd")
DEPTHS = ("stack", "block", "module", "ops")
DIRECTIONS = ("up", "right")


@click.command()
@reads_spec
@figure_option(FIGURES)
@format_option(FIGURES)
@click.option(
    "--depth",
    type=click.Choice(DEPTHS),
    default="block",
    show_default=True,
    help="How much detail: stacks, the blocks of a layer, their modules, or all ops.",
)
@click.option(
    "--unroll", metavar="N", type=int, default=0, help="Draw the first N layers separately."
)
@click.option("--shapes/--no-shapes", default=True, help="Show the shapes of tensors.")
@click.option(
    "--costs", is_flag=True, help="Show the parameters of each part, and its share of the FLOPs."
)
@click.option("--stack", metavar="NAME", help="Draw only this stack: encoder, decoder, …")
@click.option("--legend", is_flag=True, help="Explain colours and lines below the figure.")
@click.option(
    "--direction",
    type=click.Choice(DIRECTIONS),
    default="up",
    show_default=True,
    help="Direction from input to output.",
)
@theme_option
@force_option
@quiet
def visualize(
    spec: Path,
    sets: tuple[str, ...],
    output: Path,
    format: str | None,
    force: bool,
    **options: Any,
) -> None:
    """Draw the model; identical layers are drawn once.

    SPEC is a YAML file; `-` is stdin.

    \b
      modelwright visualize gpt2.yaml -o gpt2.svg
      modelwright visualize gpt2.yaml -o gpt2.pdf --depth module --costs
      modelwright visualize t5_small.yaml -o t5.png --stack encoder --direction right
      modelwright visualize gpt2.yaml -o gpt2.mmd     Mermaid, for Markdown pages
      modelwright visualize gpt2.yaml -o - --format dot | dot -Tx11
    """
    figure = output_format(output, format, FIGURES)
    graph = load_graph(spec, sets)
    from ..backends.diagram import DrawError, DrawOptions, draw

    try:
        drawn = draw(graph, figure, DrawOptions(**options))
    except DrawError as error:
        fail(str(error))
    write_result(output, drawn, force=force)
