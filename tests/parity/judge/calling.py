"""Call our model with the library's inputs, and find the outputs to compare."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

LOGITS = ("logits", "prediction_logits")


def theirs(model: nn.Module, data: Mapping[str, Any], head: str) -> Tensor:
    """Logits of the library's model, or its last hidden states under the head `base`."""
    with torch.no_grad():
        output: Any = model(**copy.deepcopy(dict(data)))
    names = ("last_hidden_state",) if head == "base" else (*LOGITS, "last_hidden_state")
    found = next(
        (getattr(output, name) for name in names if getattr(output, name, None) is not None), None
    )
    return found if found is not None else output[0]


def ours(model: nn.Module, data: Mapping[str, Any], head: str, like: Tensor) -> Tensor:
    """The same of a compiled model; of several results, the one of the shape of `like`."""
    call = model
    if head == "base" and hasattr(model, "hidden_states"):
        call = model.hidden_states
    known = inspect.signature(call.forward if isinstance(call, nn.Module) else call).parameters
    first, *_ = data
    named = {name: value for name, value in data.items() if name in known}
    # An image or a sound may have another name here; it is the first argument wherever it is.
    place = () if first in known else (data[first],)
    with torch.no_grad():
        output = call(*place, **named)
    if isinstance(output, Mapping):
        alike = [value for value in output.values() if value.shape == like.shape]
        output = (alike or list(output.values()))[0]
    return output


def distance(found: Tensor, expected: Tensor) -> float:
    """The largest difference, relative to the largest number expected."""
    if found.shape != expected.shape:
        raise ValueError(f"shape {tuple(found.shape)}, not {tuple(expected.shape)}")
    if not torch.isfinite(found).all():
        return float("inf")
    return float((found - expected).abs().max() / expected.abs().max())
