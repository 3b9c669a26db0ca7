"""`modelwright generate`: generate text from a prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .console import fail, print_result, progress
from .options import (
    DTYPES,
    load_graph,
    quiet,
    read_stdin,
    reads_spec,
    tokenizer_option,
    weights_option,
)


@click.command()
@reads_spec
@weights_option
@tokenizer_option
@click.option("--prompt", required=True, help="Text to continue; `-` reads stdin.")
@click.option(
    "--max-new-tokens",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="Maximum number of tokens to generate.",
)
@click.option(
    "--temperature",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="Sampling temperature; 0 is greedy decoding.",
)
@click.option("--top-k", type=click.IntRange(min=0), help="Sample from the K most likely tokens.")
@click.option(
    "--top-p",
    type=click.FloatRange(min=0, max=1),
    help="Sample from the most likely tokens whose probabilities add up to P.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed.")
@click.option("--device", help="cpu, cuda, … [default: cuda if available]")
@click.option("--dtype", type=click.Choice(DTYPES), help="Data type of the weights.")
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
    """Generate text from a prompt.

    SPEC is a YAML file; `-` is stdin.

    \b
      modelwright generate gpt2.yaml --weights gpt2.safetensors --tokenizer tokenizer.json \\
          --prompt "The house stands" --max-new-tokens 40 --top-p 0.9 --seed 1
    """
    graph = load_graph(spec, sets)
    from ..prompting import PromptError, decode_prompt, generate_text, load_model, load_tokenizer

    try:
        tokens = load_tokenizer(tokenizer)
        text = decode_prompt(read_stdin()) if prompt == "-" else prompt
        with progress("reading weights"):
            model = load_model(graph, weights, device=device, dtype=dtype)
        with progress("generating"):
            made = generate_text(model, tokens, text, seed=seed, **sampling)
    except PromptError as error:
        fail(str(error))
    print_result(made)
