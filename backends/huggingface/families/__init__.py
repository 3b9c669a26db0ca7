"""The model families that can be imported: one file per model type, or type and its versions.

A file is named as the library names the model; files that begin with `_` hold shared rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

from ..family import Family


def _files() -> Iterator[str]:
    """The names of the files that hold families, in alphabetical order."""
    names = (module.name for module in iter_modules(__path__))
    return (name for name in sorted(names) if not name.startswith("_"))


HOMES: dict[str, str] = {}
"""Model type -> the file that holds its family."""
FAMILIES: dict[str, Family] = {}
"""Model type -> its family."""

for _file in _files():
    for _family in import_module(f"{__name__}.{_file}").FAMILIES:
        HOMES[_family.model_type] = _file
        FAMILIES[_family.model_type] = _family

ALSO = {"kimi_k2": "deepseek_v3"}
"""Types of files of the hub that the library does not know, and those that they are built as."""
