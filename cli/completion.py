"""`modelwright completion`: shell completion."""

from __future__ import annotations

import click

from .console import fail, print_result


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script for command-line completion in your shell.

    It completes commands, options, example names and the keys of --set.

    \b
      eval "$(modelwright completion bash)"     in ~/.bashrc
      eval "$(modelwright completion zsh)"      in ~/.zshrc
      modelwright completion fish > ~/.config/fish/completions/modelwright.fish
    """
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    if made is None:
        fail(f"there is no completion for {shell}")
    group = ctx.find_root().command
    print_result(made(group, {}, "modelwright", "_MODELWRIGHT_COMPLETE").source())
