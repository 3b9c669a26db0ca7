"""The command line: the only part that prints or exits.

Each command is a module of its name, imported when it is asked for, and imports what it needs
inside itself: `check` starts without networkx, and `inspect` and `visualize` without torch.
Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 stopped or a fault of ours,
2 something is wrong with what was given.
"""

from __future__ import annotations

from importlib import import_module
from keyword import iskeyword
from typing import Any

import click

from .. import __version__
from .options import quiet
from .speaking import problems_said

COMMANDS = (
    "new",
    "check",
    "show",
    "build",
    "verify",
    "inspect",
    "visualize",
    "masks",
    "diff",
    "schema",
    "import",
    "generate",
    "export",
    "completion",
)
"""In the order of `modelwright --help`; the module and the function bear the name."""


class Commands(click.Group):
    """Finds a command's module by its name, guesses at a misspelt one, says errors."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command: click.Command = getattr(import_module(f".{name}", __name__), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        with problems_said():
            return super().invoke(ctx)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Begin with `modelwright new`, and read `modelwright COMMAND --help`.",
)
@click.version_option(__version__, prog_name="modelwright")
@quiet
def cli() -> None:
    """Compile a YAML description of a transformer into a PyTorch file.

    \b
      modelwright new gpt2 -o gpt2.yaml         start from an example
      modelwright check gpt2.yaml               every mistake at once
      modelwright build gpt2.yaml -o gpt2.py    a file that imports torch only
      modelwright inspect gpt2.yaml             weights, FLOPs, memory
      modelwright visualize gpt2.yaml -o gpt2.svg
    """


def main() -> None:
    """The console script `modelwright`."""
    cli(prog_name="modelwright")
