"""`modelwright generate`: text from a model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from .options import DTYPES, load_graph, quiet, reads_spec
from .speaking import fail, working


@click.command()
@reads_spec
@click.option(
    "--weights", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--tokenizer", required=True, help="A tokenizer.json, or `bytes`: a token is a byte.")
@click.option("--prompt", required=True, help="The text to go on from; `-` reads stdin.")
@click.option("--max-new-tokens", type=click.IntRange(min=1), default=64, show_default=True)
@click.option(
    "--temperature",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="0 takes the likeliest token.",
)
@click.option("--top-k", type=click.IntRange(min=1))
@click.option("--top-p", type=click.FloatRange(min=0, max=1, min_open=True))
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--device", help="cpu, cuda, … [default: cuda where there is one]")
@click.option("--dtype", type=click.Choice(DTYPES))
@quiet
def generate(
    spec: Path,
    sets: tuple[str, ...],
    weights: Path,
    tokenizer: str,
    prompt: str,
    seed: int,
    device: str | None,
    dtype: str | None,
    **sampling: Any,
) -> None:
    """Go on from a prompt with a model and its weights.

    \b
      modelwright generate gpt2.yaml --weights gpt2.safetensors --tokenizer tokenizer.json \\
          --prompt "The house stands" --max-new-tokens 40 --top-p 0.9 --seed 1
    """
    graph = load_graph(spec, sets)
    from ..prompting import PromptError, go_on, read_model, read_tokens

    try:
        tokens = read_tokens(tokenizer)
        with working("reading weights"):
            model = read_model(graph, weights, device=device, dtype=dtype)
        with working("generating"):
            text = sys.stdin.read() if prompt == "-" else prompt
            made = go_on(model, tokens, text, seed=seed, **sampling)
    except PromptError as error:
        fail(str(error))
    click.echo(made)
