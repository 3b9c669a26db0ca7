"""Pickle objects of modules that were imported from a source text, not from a file.

`pickle`, `copy.deepcopy`, `torch.save` and multiprocessing refer to a class by its module. Another
process does not have this module, so each pickled object contains the text.
"""

from __future__ import annotations

import copyreg
from collections.abc import Callable
from types import ModuleType
from typing import Any

LEAST_PROTOCOL = 2
"""The first pickle protocol that creates objects by `__new__`."""


def carry_text(module: ModuleType, text: str, name: str, rebuild: Callable[..., object]) -> None:
    """Make pickled objects of the module's classes contain the module's text.

    rebuild: creates an empty object from the text, the name of the spec, the name of the class, and
        the arguments of `__new__`
    """

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
