"""`modelwright generate`: generate text from a prompt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import fail, note, print_result, progress
from .options import (
    DTYPES,
    SEED,
    Number,
    load_graph,
    quiet,
    read_stdin,
    reads_spec,
    tokenizer_option,
    weights_option,
)

if TYPE_CHECKING:
    from ..compiler import ModuleGraph


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
    type=Number(min=0),
    default=1.0,
    show_default=True,
    help="Sampling temperature; 0 is greedy decoding.",
)
@click.option("--top-k", type=click.IntRange(min=0), help="Sample from the K most likely tokens.")
@click.option(
    "--top-p",
    type=Number(min=0, max=1),
    help="Sample from the fewest tokens whose probabilities add up to P.",
)
@click.option(
    "--beams",
    type=click.IntRange(min=1),
    help="Number of beams: search for the most likely text instead of sampling; for "
    "encoder-decoders.",
)
@click.option(
    "--length-penalty",
    type=Number(min=0),
    default=0.6,
    show_default=True,
    help="With --beams: larger values prefer longer texts.",
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Random seed.")
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
    beams: int | None,
    length_penalty: float,
    max_new_tokens: int,
    **sampling: Any,
) -> None:
    """Generate text from a prompt.

    SPEC is a YAML file; `-` is stdin.

    \b
      modelwright generate gpt2.yaml --weights gpt2.safetensors --tokenizer tokenizer.json \\
          --prompt "The house stands" --max-new-tokens 40 --top-p 0.9 --seed 1
    """
    graph = load_graph(spec, sets)
    from ..backends.pytorch.quantized import slow_because
    from ..prompting import (
        PromptError,
        decode_prompt,
        generate_text,
        load_model,
        load_tokenizer,
        prompt_ids,
    )

    try:
        tokens = load_tokenizer(tokenizer)
        text = decode_prompt(read_stdin()) if prompt == "-" else prompt
        with progress("reading weights"):
            searches = beams is not None
            model = load_model(graph, weights, device=device, dtype=dtype, beam_search=searches)
        entries = getattr(model.config, "vocab_size", None)
        if entries is not None and tokens.size > entries:
            note(
                f"warning: {tokenizer} has {tokens.size} tokens, but vocab_size is {entries}; "
                "is it the tokenizer of this model?"
            )
        if reason := slow_because(model):
            note(f"{weights}: slower than float32 on this CPU: {reason}")
        _warn(graph, len(prompt_ids(model, tokens, text)), max_new_tokens)
        chosen = {"beams": beams, "length_penalty": length_penalty} if searches else sampling
        with progress("generating"):
            made = generate_text(
                model, tokens, text, seed=seed, max_new_tokens=max_new_tokens, **chosen
            )
    except PromptError as error:
        fail(str(error))
    print_result(made)


def _warn(graph: ModuleGraph, prompt: int, answer: int) -> None:
    """Warn if the text may be longer than the training length, where positions go on past it."""
    stacks = list(graph.stack_facts)
    lengths = {stacks[0]: prompt, stacks[-1]: answer}
    if len(stacks) == 1:
        lengths = {stacks[0]: prompt + answer}
    for name, length in lengths.items():
        most = graph.stack_facts[name].max_positions
        if most is not None and length > most:
            note(
                f"warning: up to {length} tokens, but `{name}` was trained on at most {most} "
                "(max_positions)"
            )
