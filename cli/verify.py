"""`modelwright verify`: is what is compiled right?"""

from __future__ import annotations

from pathlib import Path

import click

from .options import DTYPES, OUTPUT, force_option, load_spec, quiet, reads_spec
from .speaking import fail, put, working


@click.command()
@reads_spec
@click.option(
    "--weights",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A safetensors file; implies --full-size. [default: random weights, none at rest]",
)
@click.option("--full-size", is_flag=True, help="The model as it is, not made small.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, …")
@click.option("--dtype", type=click.Choice(DTYPES), default="float32", help="Tried as well.")
@click.option("--join-projections", is_flag=True, help="As `build` does with this option.")
@click.option("--static-cache", is_flag=True, help="As `build` does with this option.")
@click.option("--law", "laws", multiple=True, help="Only this one. Repeatable.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the random weights.")
@click.option("--json", "as_json", is_flag=True, help="The findings as data.")
@click.option("--emit-tests", type=OUTPUT, help="Write tests for the built file; they need torch.")
@force_option
@quiet
@click.pass_context
def verify(
    ctx: click.Context,
    spec: Path,
    sets: tuple[str, ...],
    weights: Path | None,
    full_size: bool,
    device: str,
    dtype: str,
    join_projections: bool,
    static_cache: bool,
    laws: tuple[str, ...],
    seed: int,
    as_json: bool,
    emit_tests: Path | None,
    force: bool,
) -> None:
    """Try the compiled model against the reference, and against laws that hold by theory.

    \b
      modelwright verify gpt2.yaml
      modelwright verify gpt2.yaml --dtype bfloat16 --device cuda
      modelwright verify gpt2.yaml --weights gpt2.safetensors --law reference --law cache
      modelwright verify gpt2.yaml --emit-tests test_gpt2.py

    The model is made small with all of its structure. Exit code 1 says that a law fails. What the
    laws say stands in docs/verify.md.
    """
    read = load_spec(spec, sets)
    from ..backends.pytorch import BuildError, BuildOptions, WeightsError, emit_file
    from ..backends.verify import UnknownError
    from ..backends.verify import verify as verified

    options = BuildOptions(join_projections=join_projections, static_cache=static_cache)
    try:
        with working("verifying") as tell:
            report = verified(
                read,
                weights=weights,
                device=device,
                dtype=dtype,
                full_size=full_size,
                seed=seed,
                laws=laws or None,
                emit=lambda graph: emit_file(graph, options).text,
                tell=tell,
            )
    except (BuildError, WeightsError, UnknownError) as error:
        fail(str(error))
    if as_json:
        from ..outputs import json_text

        put(None, json_text(report.to_json()), force=False)
    else:
        click.echo(report.render())
    if report.failures:
        ctx.exit(1)
    if emit_tests is not None:
        from ..backends.verify.ship import ship

        try:
            text = ship(read)
        except UnknownError as error:
            fail(str(error))
        put(emit_tests, text.encode(), force=force)
