"""`modelwright check`: report all errors of specs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import BadInputError, note, print_error, print_result, reporting_errors
from .options import SPEC, load_spec, quiet, read_spec, sets_option

if TYPE_CHECKING:
    from ..compiler import ModuleGraph


@click.command()
@click.argument("specs", nargs=-1, required=True, type=SPEC)
@sets_option
@click.option("--json", "as_json", is_flag=True, help="Print errors and warnings as JSON.")
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
@quiet
@click.pass_context
def check(
    ctx: click.Context, specs: tuple[Path, ...], sets: tuple[str, ...], as_json: bool, strict: bool
) -> None:
    """Report all errors in specs, with line numbers and suggested fixes.

    Each SPEC is a YAML file; `-` is stdin.

    \b
      modelwright check gpt2.yaml
      modelwright check examples/*.yaml --quiet
      modelwright check gpt2.yaml --json | jq .problems

    The exit code is 0 when all specs are valid and 2 otherwise. With --json each problem has
    severity, file, line, column, message and hint; line and column count from 1, and are 0 for
    errors of the whole file.

    A note names each stack that accepts sequences longer than max_positions, the length of the
    longest training sequence. Their results may be poor. Notes are not warnings.
    """
    if as_json:
        failed = _check_as_json(specs, sets, strict)
    else:
        failed = [_check(ctx, path, sets, strict) for path in specs].count(False) > 0
    if failed:
        ctx.exit(BadInputError.exit_code)


def _check(ctx: click.Context, path: Path, sets: tuple[str, ...], strict: bool) -> bool:
    """Check one spec and print its problems; True if it is valid."""
    from ..compiler import lower
    from ..spec.errors import printable

    try:
        with reporting_errors():
            spec = load_spec(path, sets)
            graph = lower(spec)
    except BadInputError as error:
        error.show()
        return False
    if strict and spec.warnings:
        if ctx.meta.get("quiet"):  # warnings determine the exit code
            for warning in spec.warnings:
                print_error(f"warning: {warning}")
        return False
    if not ctx.meta.get("quiet"):
        print_result(f"{printable(path)}: ok")
        for text in beyond_training(graph):
            note(f"note: {text}")
    return True


def beyond_training(graph: ModuleGraph) -> list[str]:
    """A sentence for each stack whose positions do not end at `max_positions`."""
    return [
        f"`{stack}` accepts sequences longer than max_positions ({fact.max_positions:,}), the "
        "longest in training"
        for stack, fact in graph.stack_facts.items()
        if fact.max_positions is not None and stack not in graph.limits
    ]


def _check_as_json(specs: tuple[Path, ...], sets: tuple[str, ...], strict: bool) -> bool:
    """Check all specs and print their problems as one JSON object; True if one is invalid."""
    from ..compiler import lower
    from ..outputs import json_text
    from ..spec import SpecErrors
    from ..spec.errors import printable

    files: list[dict[str, Any]] = []
    problems: list[dict[str, Any]] = []
    for path in specs:
        try:
            spec = read_spec(path, sets)
            graph = lower(spec)  # also finds options without effect
            found = [warning.to_json("warning") for warning in spec.located_warnings]
            ok, notes = not (strict and found), beyond_training(graph)
        except SpecErrors as error:
            found = [problem.to_json("error") for problem in error.problems]
            ok, notes = False, []
        problems += found
        files.append({"file": printable(path), "ok": ok, "notes": notes})
    ok = all(file["ok"] for file in files)
    print_result(json_text({"ok": ok, "files": files, "problems": problems}))
    return not ok
