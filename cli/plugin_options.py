"""The options `--plugin` and `--no-plugins`, which all commands have that read a spec."""

from __future__ import annotations

from pathlib import Path

import click

from .console import fail

PLUGINS = "modelwright.plugins"
"""Key of `Context.meta`: the files of `--plugin`."""


def with_plugins(command: click.Command) -> click.Command:
    """The command with both options, which act before its arguments are read."""
    if all(option.name != "plugins" for option in command.params):
        command.params += [_no_plugins(), _plugin()]
    return command


def _plugin() -> click.Option:
    return click.Option(
        ["--plugin", "plugins"],
        multiple=True,
        metavar="FILE.py",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        expose_value=False,
        is_eager=True,
        callback=_load,
        help="Load your own variants from a Python file (its code is run). Repeatable.",
    )


def _no_plugins() -> click.Option:
    return click.Option(
        ["--no-plugins"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_search,
        help="Do not load plug-ins from installed packages.",
    )


def _load(ctx: click.Context, _parameter: click.Parameter, paths: tuple[Path, ...]) -> None:
    if not paths:
        return
    from ..plugins import PluginError, load_plugin

    ctx.meta[PLUGINS] = tuple(path.absolute() for path in paths)
    for path in paths:
        try:
            load_plugin(path)
        except PluginError as error:
            fail(str(error))


def _search(_ctx: click.Context, _parameter: click.Parameter, off: bool) -> None:
    if off:
        from ..spec.installed import SEARCH

        SEARCH.enabled = False
