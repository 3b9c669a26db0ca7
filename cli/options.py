"""The options that commands share, and reading the spec that most of them take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .speaking import note

if TYPE_CHECKING:
    from ..compiler import ModuleGraph
    from ..spec import ModelSpec

Command = TypeVar("Command", bound=Callable[..., Any])

DTYPES = ("float32", "float64", "bfloat16", "float16")
OUTPUT = click.Path(dir_okay=False, allow_dash=True, path_type=Path)


def _set_quiet(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    ctx.meta["quiet"] = value or ctx.meta.get("quiet", False)


quiet = click.option(
    "-q", "--quiet", is_flag=True, expose_value=False, callback=_set_quiet, help="Only the result."
)
force_option = click.option(
    "--force", is_flag=True, help="Overwrite a file that was edited or is not modelwright's."
)


def reads_spec(command: Command) -> Command:
    """The argument SPEC and the option --set, for every command that takes one spec."""
    spec = click.argument("spec", type=click.Path(dir_okay=False, path_type=Path))
    return spec(sets_option(command))


def sets_option(command: Command) -> Command:
    return click.option(
        "--set",
        "sets",
        multiple=True,
        metavar="KEY=VALUE",
        help="Change one key, e.g. --set layers=6 --set decoder.positions=alibi. Repeatable.",
    )(command)


def load_spec(path: Path, sets: tuple[str, ...]) -> ModelSpec:
    from ..spec import load

    spec = load(path, sets=sets)
    for told in spec.notes:
        note(f"note: {told}")
    for told in spec.warnings:
        note(f"warning: {told}")
    return spec


def load_graph(path: Path, sets: tuple[str, ...]) -> ModuleGraph:
    spec = load_spec(path, sets)
    from ..compiler import lower

    return lower(spec)
