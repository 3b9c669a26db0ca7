"""`modelwright attend`: figures of attention maps."""

from __future__ import annotations

from pathlib import Path

import click

from .console import fail, progress, write_result
from .options import (
    DTYPES,
    figure_option,
    force_option,
    format_option,
    load_graph,
    output_format,
    quiet,
    read_stdin,
    reads_spec,
    theme_option,
    tokenizer_option,
    weights_option,
)

FORMATS = ("svg", "png", "pdf")
MORE = "; give --inputs FILE.safetensors"


@click.command()
@reads_spec
@weights_option
@tokenizer_option
@click.option("--text", help="Text to read; `-` reads stdin.")
@click.option(
    "--target",
    help="Text of the decoder of an encoder-decoder. [default: what the model generates]",
)
@click.option(
    "--inputs",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Other inputs by name: images, vectors, conditions, … (.safetensors).",
)
@figure_option(FORMATS)
@format_option(FORMATS)
@click.option(
    "--layer",
    "layers",
    type=click.IntRange(min=0),
    multiple=True,
    help="Draw this layer, counted from 0. Repeatable.",
)
@click.option(
    "--head",
    "heads",
    type=click.IntRange(min=0),
    multiple=True,
    help="Draw this head, counted from 0. Repeatable.",
)
@click.option(
    "--only", default="", help="Draw only maps whose name contains this, e.g. cross_attention."
)
@click.option("--device", help="cpu, cuda, … [default: cuda if available]")
@click.option("--dtype", type=click.Choice(DTYPES), help="Data type of the weights.")
@theme_option
@force_option
@quiet
def attend(
    spec: Path,
    sets: tuple[str, ...],
    weights: Path,
    tokenizer: str,
    text: str | None,
    target: str | None,
    inputs: Path | None,
    output: Path,
    format: str | None,
    layers: tuple[int, ...],
    heads: tuple[int, ...],
    only: str,
    device: str | None,
    dtype: str | None,
    theme: str,
    force: bool,
) -> None:
    """Draw the attention maps of a text or other inputs: which token reads from which.

    SPEC is a YAML file; `-` is stdin.

    \b
      modelwright attend tiny_gpt.yaml --weights run/weights.safetensors --tokenizer bytes \\
          --text "The house stands" -o maps.svg
      modelwright attend t5_small.yaml … --only cross_attention --layer 5 -o alignment.svg
      modelwright attend llava_like.yaml … --inputs image.safetensors --text "…" -o maps.svg

    Up to six maps are drawn with their tokens, more as one sheet with a row per layer and a column
    per head.
    """
    kind = output_format(output, format, FORMATS)
    graph = load_graph(spec, sets)
    from ..api import draw_attention
    from ..attending import attend_to_text, read_inputs, text_arguments
    from ..backends.diagram import DrawError
    from ..backends.diagram.attention import AttentionOptions
    from ..prompting import PromptError, decode_prompt, load_model, load_tokenizer

    try:
        given = read_inputs(inputs) if inputs else {}
        text_arguments(graph, text is not None, target is not None, {*given}, MORE)
        tokens = load_tokenizer(tokenizer)
        read = decode_prompt(read_stdin()) if text == "-" else text
        with progress("reading weights"):
            model = load_model(graph, weights, device=device, dtype=dtype, generates=False)
        with progress("computing attention maps"):
            maps, names = attend_to_text(model, graph, tokens, read, target, given)
        options = AttentionOptions(title=f"{graph.name}: attention maps", theme=theme)
        drawn = draw_attention(maps, names, kind, options, layers=layers, heads=heads, only=only)
    except (PromptError, DrawError) as error:
        fail(str(error))
    write_result(output, drawn, force=force)
