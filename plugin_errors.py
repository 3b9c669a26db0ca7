"""Errors in the code of plug-ins: with the file and the line, in place of a traceback."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import fields, replace
from functools import wraps
from inspect import isgeneratorfunction
from typing import Any

from .compiler.lower.builder import RefusedError
from .compiler.ops.row import Row
from .compiler.sizes import IndivisibleError
from .spec.errors import SpecErrors
from .spec.installed import PluginError

OWN = (PluginError, SpecErrors, RefusedError, IndivisibleError)
"""Errors that say where they come from."""


def guarded(function: Callable[..., Any], origin: str) -> Callable[..., Any]:
    """The function, raising PluginError for what its code raises."""
    file = getattr(getattr(function, "__code__", None), "co_filename", "")

    @wraps(function)
    def called(*given: Any, **named: Any) -> Any:
        try:
            made = function(*given, **named)
            return list(made) if isgeneratorfunction(function) else made
        except OWN:
            raise
        except Exception as error:  # whatever the code of the plug-in raises
            where = f"{origin}{line_of(error, file)}"
            text = f"{type(error).__name__}: {error}"
            raise PluginError(f"{where}: {text}") from error

    return called


def guarded_row(row: Row, origin: str) -> Row:
    """The row with guarded functions, where these are not Modelwright's."""
    package = __name__.rpartition(".")[0]
    own: dict[str, Any] = {
        one.name: guarded(function, origin)
        for one in fields(row)
        if callable(function := getattr(row, one.name))
        and not str(getattr(function, "__module__", "")).startswith(f"{package}.")
    }
    return replace(row, **own)


def reads_memory(name: str, lowering: Callable[..., str]) -> Callable[..., str]:
    """The lowering of an attention, refusing cross-attention if it does not read its memory."""

    @wraps(lowering)
    def lowered(b: Any, state: Any, block: Any, part: Any, x: str, memory: Any) -> str:
        before = len(list(b.graph.ops()))
        made = lowering(b, state, block, part, x, memory)
        new = list(b.graph.ops())[before:]
        if memory is not None and not any(memory.value in op.inputs for op in new):
            b.refuse(f"`{name}` reads no memory, so it cannot be used for cross-attention", "type")
        return made

    return lowered


def line_of(error: BaseException, file: str) -> str:
    """`:7`, the last line of the file that an error came from; "" if there is none."""
    if isinstance(error, SyntaxError):
        return f":{error.lineno}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    return f":{frames[-1].lineno}" if frames else ""
