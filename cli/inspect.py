"""`modelwright inspect`: parameters, FLOPs and memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .console import fail, note, print_result
from .options import DTYPES, load_graph, quiet, reads_spec

if TYPE_CHECKING:
    from ..compiler import ModuleGraph


@click.command()
@reads_spec
@click.option(
    "--batch", type=click.IntRange(min=1), default=1, show_default=True, help="Batch size."
)
@click.option(
    "--sequence",
    type=click.IntRange(min=1),
    help="Sequence length in tokens. [default: max_positions, at most 1024]",
)
@click.option(
    "--dtype",
    type=click.Choice(DTYPES),
    default="float32",
    show_default=True,
    help="Data type of weights, activations and cache.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option(
    "--weights",
    is_flag=True,
    help="Also print every weight: name, shape, number of values, layers, copies (how many are "
    "stored, one per layer; 0 if tied), part (the row of the parameter table that counts it), and "
    "the shape as an expression.",
)
@click.option(
    "--layers",
    is_flag=True,
    help="Also print every module: class, shape of its result, parameters, FLOPs.",
)
@click.option(
    "--kernels", is_flag=True, help="Also print which kernel computes each attention, and why."
)
@click.option(
    "--static-cache", is_flag=True, help="Count the cache of a file built with this option."
)
@quiet
def inspect(
    spec: Path,
    sets: tuple[str, ...],
    batch: int,
    sequence: int | None,
    dtype: str,
    as_json: bool,
    weights: bool,
    layers: bool,
    kernels: bool,
    static_cache: bool,
) -> None:
    """Print parameters, FLOPs, memory and cache size, without allocating the model.

    SPEC is a YAML file; `-` is stdin.

    \b
      modelwright inspect gpt2.yaml
      modelwright inspect gpt2.yaml --batch 8 --sequence 512 --dtype bfloat16
      modelwright inspect gpt2.yaml --json | jq .weights.total
      modelwright inspect gpt2.yaml --json | jq '.weights.rows[] | [.name, .shape]'
    """
    graph = load_graph(spec, sets)
    from ..compiler.op_costs import not_whole
    from ..compiler.report import report

    for stack, fact in graph.stack_facts.items():
        most = fact.max_positions
        if sequence is not None and most is not None and sequence > most:
            note(f"warning: --sequence {sequence} exceeds max_positions of `{stack}`, {most}")
    if sequence is not None and graph.decided():
        tokens = int(list(graph.lengths.values())[-1])
        raise click.UsageError(
            f"--sequence does not apply: an image has {tokens} tokens in this model"
        )
    if sequence is not None and (reason := not_whole(graph, sequence)):
        raise click.UsageError(f"--sequence is {sequence}, but {reason}")
    if static_cache:
        _require_static(graph)
    made = report(graph, batch, sequence, dtype, static_cache=static_cache)
    if as_json:
        from ..outputs import json_text

        print_result(json_text(made.to_json()))
        return
    print_result(made.render().rstrip("\n"))
    if layers:
        print_result("\n" + made.layer_table().rstrip("\n"))
    if weights:
        print_result("\n" + made.weight_table().rstrip("\n"))
    if kernels:
        print_result("\n" + made.kernels().rstrip("\n"))


def _require_static(graph: ModuleGraph) -> None:
    from ..backends.pytorch.static import BuildError, require_static

    try:
        require_static(graph)
    except BuildError as error:
        fail(str(error))
