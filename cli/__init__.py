"""The command line: the only part of the package that prints or exits.

Each command is a module of the same name, imported when the command runs. Commands import what they
need inside their functions, so that `check` runs without networkx, and `inspect` and `visualize`
without torch. Results go to stdout, everything else to stderr. Exit codes: 0 success; 1
interrupted, a failed `verify`, or a bug; 2 bad input, or output that cannot be written; 141 when
the reader of a pipe is gone.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from keyword import iskeyword
from typing import Any

import click

from .. import __version__
from .console import (
    BadInputError,
    ClosedOutput,
    forget,
    print_error,
    reporting_errors,
    show_error,
)
from .effects import with_effects
from .options import quiet
from .plugin_options import with_plugins

COMMANDS = (
    "new",
    "check",
    "show",
    "build",
    "verify",
    "inspect",
    "visualize",
    "masks",
    "attend",
    "diff",
    "explore",
    "schema",
    "import",
    "tokenizer",
    "data",
    "plan",
    "train",
    "prune",
    "quantize",
    "generate",
    "export",
    "completion",
)
"""Commands in the order of `modelwright --help`; modules and functions have the same names."""


WITHOUT_PLUGINS = ("new", "import", "tokenizer", "data", "completion")
"""Commands without `--plugin`: they read no spec."""


class Commands(click.Group):
    """Imports the module of a command, and converts input errors to messages."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command: click.Command = getattr(import_module(f".{name}", __name__), name)
        if cmd_name not in WITHOUT_PLUGINS:
            command = with_plugins(command)
        return with_effects(command, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS:
            from ..spec.errors import nearest

            if near := nearest(args[0], COMMANDS):
                ctx.fail(f"No such command '{args[0]}'. Did you mean '{near}'?")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with reporting_errors():
            return super().invoke(ctx)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with `modelwright new`, and see `modelwright COMMAND --help`.",
)
@click.version_option(__version__, prog_name="modelwright")
@quiet
def cli() -> None:
    """Compile a YAML description of a transformer into a PyTorch file.

    \b
      modelwright new gpt2 -o gpt2.yaml         start from an example
      modelwright check gpt2.yaml               all errors, with line numbers
      modelwright build gpt2.yaml -o gpt2.py    a file that imports only torch
      modelwright inspect gpt2.yaml             parameters, FLOPs, memory
      modelwright visualize gpt2.yaml -o gpt2.svg
    """


def main() -> None:
    """The console script `modelwright`."""
    if sys.stderr is None:  # closed by the caller
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # ASCII and other encodings
    if sys.stdout is None:
        sys.stdout = ClosedOutput()
    try:
        code = cli.main(prog_name="modelwright", standalone_mode=False)
    except click.Abort:
        print_error("Aborted!")
        code = 1
    except click.ClickException as error:
        show_error(error)
        code = error.exit_code
    except OSError as error:  # while click prints, as for --help
        forget(sys.stdout)
        print_error(f"Error: standard output cannot be written: {error.strerror}")
        code = BadInputError.exit_code
    sys.exit(code if isinstance(code, int) else 0)
