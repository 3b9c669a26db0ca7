"""Descriptions of options, read from the docstrings of the parts."""

from __future__ import annotations

import inspect
import re
from functools import cache

from .part import Part
from .signatures import key_of

OPTION = re.compile(r"([a-z_][a-z0-9_]*): (.+)")


@cache
def summary(cls: type[Part]) -> str:
    """The description of a part, without its options."""
    lines = []
    for line in inspect.cleandoc(cls.__doc__ or "").splitlines():
        if _option(cls, line):
            break
        lines.append(line.strip())
    return " ".join(" ".join(lines).split())


@cache
def options(cls: type[Part]) -> dict[str, str]:
    """Key -> description, for every key of a part and its bases."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if issubclass(base, Part):
            found |= _own_options(base)
    keys = [key_of(name, field) for name, field in cls.model_fields.items()]
    return {key: found[key] for key in keys if key in found}


def _own_options(cls: type[Part]) -> dict[str, str]:
    found: dict[str, str] = {}
    current = ""
    for line in inspect.cleandoc(cls.__doc__ or "").splitlines():
        if match := _option(cls, line):
            current = match[1]
            found[current] = match[2]
        elif current and line.startswith(" "):
            found[current] += " " + line.strip()
        else:
            current = ""
    return found


def _option(cls: type[Part], line: str) -> re.Match[str] | None:
    match = OPTION.match(line)
    keys = {key_of(name, field) for name, field in cls.model_fields.items()}
    return match if match and match[1] in keys else None
