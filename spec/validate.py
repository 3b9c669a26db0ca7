"""Validate resolved data, and continue after errors to find all of them."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from .model import ModelSpec
from .part import BROKEN

ROUNDS = 12


def validate(data: dict[str, Any]) -> tuple[ModelSpec | None, list[ErrorDetails]]:
    """The spec and all validation errors.

    Invalid values become `BROKEN`, so that laws can be checked on the rest. The spec is None if too
    much is invalid.
    """
    errors: list[ErrorDetails] = []
    for _ in range(ROUNDS):
        try:
            return ModelSpec.model_validate(data, context={"resolved": True}), errors
        except ValidationError as error:
            found = error.errors(include_url=False)
        errors += [one for one in found if one["input"] is not BROKEN]
        for one in found:
            _mend(data, one)
    return None, errors


def _mend(data: Any, error: ErrorDetails) -> None:
    """Remove the value of an error from the data."""
    path = list(error["loc"])
    drop = error["type"] == "extra_forbidden" or path[-1] == "[key]"
    if path[-1] == "[key]":
        path.pop()
    while path:
        holder, last = _down(data, path[:-1]), path[-1]
        if isinstance(holder, dict) and drop:
            holder.pop(last, None)
            return
        if isinstance(holder, dict) and holder.get(str(last)) is not BROKEN:
            holder[str(last)] = BROKEN
            return
        if isinstance(holder, list) and isinstance(last, int) and holder[last] is not BROKEN:
            holder[last] = BROKEN
            return
        path.pop()  # already removed, and its container needs it


def _down(data: Any, path: list[int | str]) -> Any:
    """The value at a path; BROKEN if the path no longer exists."""
    for part in path:
        if isinstance(data, dict):
            data = data.get(str(part), BROKEN)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            return BROKEN
    return data
