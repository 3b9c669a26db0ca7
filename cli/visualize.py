"""`modelwright visualize`: the figure of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .options import OUTPUT, force_option, load_graph, quiet, reads_spec
from .speaking import fail, put

FIGURES = ("svg", "png", "pdf", "dot", "mmd")
DEPTHS = ("stack", "block", "module", "ops")
DIRECTIONS = ("up", "right")
THEMES = ("auto", "light", "dark", "print")


@click.command()
@reads_spec
@click.option(
    "-o",
    "--output",
    required=True,
    type=OUTPUT,
    help=f"Its suffix says which: {', '.join(FIGURES)}.",
)
@click.option(
    "--depth",
    type=click.Choice(DEPTHS),
    default="block",
    show_default=True,
    help="What is opened: one box for a stack, what is in a layer, in its modules, every op.",
)
@click.option(
    "--unroll", metavar="N", type=int, default=0, help="Draw the first N layers one by one."
)
@click.option(
    "--shapes/--no-shapes", default=True, help="The shapes of inputs, results and the stream."
)
@click.option("--costs", is_flag=True, help="The weights of each part, and its share of the FLOPs.")
@click.option("--stack", metavar="NAME", help="One stack alone: encoder, decoder, …")
@click.option("--legend", is_flag=True, help="Say below what the colours and lines are.")
@click.option(
    "--direction",
    type=click.Choice(DIRECTIONS),
    default="up",
    show_default=True,
    help="Where the stream runs.",
)
@click.option(
    "--theme",
    type=click.Choice(THEMES),
    default="auto",
    show_default=True,
    help="The colours; auto follows the reader's page, print needs none.",
)
@force_option
@quiet
def visualize(spec: Path, sets: tuple[str, ...], output: Path, force: bool, **options: Any) -> None:
    """Draw the model, each kind of layer once.

    \b
      modelwright visualize gpt2.yaml -o gpt2.svg
      modelwright visualize gpt2.yaml -o gpt2.pdf --depth module --costs
      modelwright visualize t5_small.yaml -o t5.png --stack encoder --direction right
      modelwright visualize gpt2.yaml -o gpt2.mmd     Mermaid, for Markdown pages
    """
    figure = output.suffix.lower().removeprefix(".")
    if figure not in FIGURES:
        fail(f"{output}: the suffix says what to draw: one of {', '.join(FIGURES)}")
    graph = load_graph(spec, sets)
    from ..backends.diagram import DrawError, DrawOptions, draw

    try:
        drawn = draw(graph, figure, DrawOptions(**options))
    except DrawError as error:
        fail(str(error))
    put(output, drawn, force=force)
