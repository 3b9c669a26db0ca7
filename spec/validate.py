"""From resolved data to a ModelSpec, going on around what is wrong."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from .model import ModelSpec
from .part import BROKEN

ROUNDS = 12


def validate(data: dict[str, Any]) -> tuple[ModelSpec | None, list[ErrorDetails]]:
    """A spec, and every error on the way to it.

    What is wrong becomes `BROKEN` in the spec, so that laws can be tried on all the rest. None when
    nothing of use remains.
    """
    errors: list[ErrorDetails] = []
    for _ in range(ROUNDS):
        try:
            return ModelSpec.model_validate(data, context={"resolved": True}), errors
        except ValidationError as error:
            found = error.errors(include_url=False)
        errors += found
        for one in found:
            _mend(data, one)
    return None, errors


def _mend(data: Any, error: ErrorDetails) -> None:
    """Take what an error complains about out of the data."""
    *path, last = error["loc"]
    if last == "[key]" and path:
        *path, last = path
    holder = data
    for part in path:
        holder = holder[part] if holder is not BROKEN else holder
        if not isinstance(holder, (dict, list)):
            return
    if error["type"] == "extra_forbidden" or error["loc"][-1] == "[key]":
        if isinstance(holder, dict):
            holder.pop(last, None)
    elif isinstance(holder, dict):
        holder[str(last)] = BROKEN
    elif isinstance(last, int) and last < len(holder):
        holder[last] = BROKEN
