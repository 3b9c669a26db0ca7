"""Colours of error messages on terminals."""

from __future__ import annotations

import os
import re
import sys

import click

_LOCATED = re.compile(r"^(\S.*?:\d+:\d+:|\S+: cannot be read:)", re.MULTILINE)
_CARET = re.compile(r"^( +)(\^)$", re.MULTILINE)


def wanted() -> bool:
    """Whether stderr is a terminal with colours (https://no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return sys.stderr is not None and sys.stderr.isatty()


def coloured(message: str) -> str:
    """The location of each error in bold and its caret in red, if colours are wanted."""
    if not wanted():
        return message
    message = _LOCATED.sub(lambda found: click.style(found[0], bold=True), message)
    return _CARET.sub(lambda found: found[1] + click.style("^", fg="red", bold=True), message)
