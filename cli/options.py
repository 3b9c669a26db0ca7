"""Options of several commands, and loading of specs."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .complete import complete_set
from .console import fail, note

if TYPE_CHECKING:
    from ..compiler import ModuleGraph
    from ..spec import ModelSpec

Command = TypeVar("Command", bound=Callable[..., Any])

DTYPES = ("float32", "float64", "bfloat16", "float16")
THEMES = ("auto", "light", "dark", "print")
SPEC = click.Path(allow_dash=True, path_type=Path)  # a folder gives an error as usual
OUTPUT = click.Path(dir_okay=False, allow_dash=True, path_type=Path)
WEIGHTS = click.Path(exists=True, path_type=Path)
STDIN = "<stdin>"


class OutputFolder(click.Path):
    """The path of a folder to write, which cannot be stdout."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if str(value) == "-":
            self.fail("a folder cannot be written to stdout; name one", param, ctx)
        return super().convert(value, param, ctx)


FOLDER = OutputFolder(path_type=Path)


class Number(click.FloatRange):
    """A finite number, in a range if one is given."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return found

    def _describe_range(self) -> str:
        """The range as --help shows it: nothing if there are no bounds."""
        return "" if self.min is None and self.max is None else super()._describe_range()


SEED = click.IntRange(0, 2**63 - 1)
"""A seed that torch accepts."""


def _set_quiet(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    ctx.meta["quiet"] = value or ctx.meta.get("quiet", False)


quiet = click.option(
    "-q",
    "--quiet",
    is_flag=True,
    expose_value=False,
    callback=_set_quiet,
    help="Print the result only: no notes, warnings or progress.",
)
force_option = click.option(
    "--force",
    is_flag=True,
    help="Overwrite an output file that was modified or not created by Modelwright.",
)
theme_option = click.option(
    "--theme",
    type=click.Choice(THEMES),
    default="auto",
    show_default=True,
    help="Colours. `auto` follows the light or dark mode of the page; `print` is black and white.",
)
weights_option = click.option(
    "--weights", required=True, type=WEIGHTS, help="A checkpoint file or folder."
)
tokenizer_option = click.option(
    "--tokenizer",
    required=True,
    help="A tokenizer.json file, or `bytes` for a model of raw bytes.",
)


def reads_spec(command: Command) -> Command:
    """The argument SPEC and the option --set, for commands with one spec."""
    spec = click.argument("spec", type=SPEC)
    return spec(sets_option(command))


def sets_option(command: Command) -> Command:
    return click.option(
        "--set",
        "sets",
        multiple=True,
        metavar="KEY=VALUE",
        shell_complete=complete_set,
        help="Change one key, e.g. --set layers=6 --set decoder.positions=alibi. Repeatable.",
    )(command)


def figure_option(formats: tuple[str, ...]) -> Callable[[Command], Command]:
    """The option --output of a command that draws one figure."""
    return click.option(
        "-o",
        "--output",
        required=True,
        type=OUTPUT,
        help=f"Output file; its suffix is the format: {', '.join(formats)}. `-` is stdout.",
    )


def format_option(formats: tuple[str, ...]) -> Callable[[Command], Command]:
    """The option --format of a command that draws."""
    return click.option(
        "--format",
        "format",
        type=click.Choice(formats),
        help="Output format. [default: the suffix of the output file; svg on stdout]",
    )


def output_format(output: Path, format: str | None, formats: tuple[str, ...]) -> str:
    """The format given by --format or the suffix of the output file."""
    if format is not None:
        return format
    from ..outputs import is_stream

    suffix = output.suffix.lower().removeprefix(".")
    if str(output) == "-" or (not suffix and is_stream(output)):
        return formats[0]
    if suffix not in formats:
        fail(
            f"{output}: the suffix must name a format, one of {', '.join(formats)}; or use --format"
        )
    return suffix


def read_stdin() -> bytes:
    """All of stdin. Fails if it is closed or was already read."""
    ctx = click.get_current_context()
    if ctx.meta.get("stdin"):
        fail("standard input can be read only once: `-` is given twice")
    ctx.meta["stdin"] = True
    if sys.stdin is None:
        fail("standard input is closed")
    from ..spec.files import MOST_BYTES

    return sys.stdin.buffer.read(MOST_BYTES + 1)


def read_spec(path: Path, sets: tuple[str, ...]) -> ModelSpec:
    """The spec of a file, or of stdin for `-`. Raises SpecErrors."""
    from ..spec import load, loads

    if str(path) == "-":
        return loads(read_stdin(), STDIN, sets, folder=".")
    return load(path, sets=sets)


def load_spec(path: Path, sets: tuple[str, ...]) -> ModelSpec:
    """`read_spec`, with notes and warnings on stderr, without duplicates."""
    spec = read_spec(path, sets)
    shown = click.get_current_context().meta.setdefault("shown", set())
    for text in (*(f"note: {n}" for n in spec.notes), *(f"warning: {w}" for w in spec.warnings)):
        if text not in shown:
            shown.add(text)
            note(text)
    return spec


def load_graph(path: Path, sets: tuple[str, ...]) -> ModuleGraph:
    spec = load_spec(path, sets)
    from ..compiler import lower

    return lower(spec)
