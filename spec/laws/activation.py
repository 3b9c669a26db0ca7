"""The law of activations with learned numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..activation import Xielu
from ..feed_forward import Hidden
from ..model import Block, ModelSpec, Stack
from ..part import CONTAINERS, Part, options_of
from .findings import Finding, Path

HOLDERS = (Hidden, Block, Stack, ModelSpec)
"""Feed-forwards, and levels where `activation` is only a default."""


def learned_in_feed_forwards(spec: ModelSpec) -> Iterator[Finding]:
    """`xielu` has one pair of numbers, so it needs a part with one activation."""
    for path, part in _parts(spec, ()):
        if isinstance(vars(part).get("activation"), Xielu) and not isinstance(part, HOLDERS):
            yield Finding(
                (*path, "activation"),
                "`xielu` has learned parameters and is supported only in feed-forwards of type "
                "`mlp` and `glu`; write another `activation` here",
            )


def _parts(value: Any, path: Path) -> Iterator[tuple[Path, Part]]:
    """All parts of a spec, with their paths."""
    if isinstance(value, Part):
        yield path, value
        for name in options_of(type(value)):
            inner = vars(value).get(name)
            if isinstance(inner, CONTAINERS):
                yield from _parts(inner, (*path, name))
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _parts(inner, (*path, name))
    elif isinstance(value, tuple):
        for index, inner in enumerate(value):
            yield from _parts(inner, (*path, index))


SPEC_LAWS = (learned_in_feed_forwards,)
