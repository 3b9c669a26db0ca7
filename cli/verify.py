"""`modelwright verify`: test a compiled model."""

from __future__ import annotations

from pathlib import Path

import click

from .console import check_stamped, fail, print_result, progress, write_result
from .options import DTYPES, OUTPUT, SEED, WEIGHTS, force_option, load_spec, quiet, reads_spec


@click.command()
@reads_spec
@click.option(
    "--weights",
    type=WEIGHTS,
    help="A checkpoint; implies --full-size. [default: random weights]",
)
@click.option(
    "--full-size", is_flag=True, help="Test the model at full size instead of a small copy."
)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, …")
@click.option(
    "--dtype", type=click.Choice(DTYPES), default="float32", help="Also test this data type."
)
@click.option(
    "--join-projections", is_flag=True, help="Test the file of `build --join-projections`."
)
@click.option("--static-cache", is_flag=True, help="Test the file of `build --static-cache`.")
@click.option(
    "--law", "laws", multiple=True, help="Test only this invariant; see docs/verify.md. Repeatable."
)
@click.option(
    "--thorough",
    is_flag=True,
    help="Test all lengths and all combinations of build options (slow).",
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Seed of the random weights.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@click.option(
    "--emit-tests",
    type=OUTPUT,
    help="Write a test file for the built model, which needs only torch.",
)
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
    thorough: bool,
    seed: int,
    as_json: bool,
    emit_tests: Path | None,
    force: bool,
) -> None:
    """Test the compiled model against a reference implementation and known invariants.

    SPEC is a YAML file; `-` is stdin.

    \b
      modelwright verify gpt2.yaml
      modelwright verify gpt2.yaml --dtype bfloat16 --device cuda
      modelwright verify gpt2.yaml --weights gpt2.safetensors --law reference --law cache
      modelwright verify gpt2.yaml --emit-tests test_gpt2.py

    By default a small copy of the model with the same structure is tested. The exit code is 1 when
    a test fails. The invariants (`--law`) are described in docs/verify.md.
    """
    check_stamped(emit_tests, force=force)
    read = load_spec(spec, sets)
    from ..backends.pytorch import BuildError, BuildOptions, WeightsError, emit_file
    from ..backends.verify import UnknownError, read_document
    from ..backends.verify import verify as verified

    options = BuildOptions(join_projections=join_projections, static_cache=static_cache)
    try:
        with progress("verifying") as show:
            report = verified(
                read,
                weights=weights,
                device=device,
                dtype=dtype,
                full_size=full_size,
                seed=seed,
                laws=laws or None,
                thorough=thorough,
                document=read_document(spec, sets) if spec.is_file() else None,
                emit=lambda graph: emit_file(graph, options).text,
                on_law=show,
            )
    except (BuildError, WeightsError, UnknownError) as error:
        fail(str(error))
    if as_json:
        from ..outputs import json_text

        print_result(json_text(report.to_json()))
    else:
        print_result(report.render())
    if report.failures:
        ctx.exit(1)
    if emit_tests is not None:
        from ..backends.verify.ship import ship

        try:
            text = ship(read)
        except UnknownError as error:
            fail(str(error))
        write_result(emit_tests, text.encode(), force=force)
