"""`modelwright completion`: completing commands in a shell."""

from __future__ import annotations

import click

from .speaking import fail


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands in your shell.

    \b
      eval "$(modelwright completion bash)"     in ~/.bashrc
      eval "$(modelwright completion zsh)"      in ~/.zshrc
      modelwright completion fish > ~/.config/fish/completions/modelwright.fish
    """
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    if made is None:
        fail(f"{shell} is not a shell that can be completed")
    group = ctx.find_root().command
    click.echo(made(group, {}, "modelwright", "_MODELWRIGHT_COMPLETE").source())
