"""Pickling objects of modules that were imported from a text and are in no file.

`pickle`, `copy.deepcopy`, `torch.save` and multiprocessing name a class by its module. A process
that has not compiled the same spec has no such module, so each object brings the text along.
"""

from __future__ import annotations

import copyreg
from types import ModuleType
from typing import Any

LEAST_PROTOCOL = 2
"""The first pickle protocol that makes objects with `__new__` alone."""


def carry_text(module: ModuleType, text: str, name: str) -> None:
    """Make objects of the module's classes, when pickled, contain the text of the module."""

    def reduce(self: object, protocol: Any) -> str | tuple[Any, ...]:
        kind = type(self)
        made = object.__reduce_ex__(self, max(int(protocol), LEAST_PROTOCOL))
        own = kind.__module__ == module.__name__ and isinstance(made, tuple)
        if not own or made[0] is not copyreg.__newobj__:  # type: ignore[attr-defined]
            return made
        return (rebuild, (text, name, kind.__qualname__, *made[1][1:]), *made[2:])

    for kind in list(vars(module).values()):
        if isinstance(kind, type) and kind.__module__ == module.__name__:
            kind.__reduce_ex__ = reduce  # type: ignore[assignment, method-assign]


def rebuild(text: str, name: str, class_name: str, *arguments: Any) -> object:
    """An empty object of a class of the text, which is imported if it has not been before."""
    from .compile import import_text

    kind: Any = getattr(import_text(text, name), class_name)
    return kind.__new__(kind, *arguments)
