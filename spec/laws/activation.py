"""The law of activations with learned numbers."""

from __future__ import annotations

from collections.abc import Iterator

from ..activation import Xielu
from ..feed_forward import Hidden
from ..model import Block, ModelSpec, Stack
from ..part import parts_in
from .findings import Finding

HOLDERS = (Hidden, Block, Stack, ModelSpec)
"""Feed-forwards, and levels where `activation` is only a default."""


def learned_in_feed_forwards(spec: ModelSpec) -> Iterator[Finding]:
    """`xielu` has one pair of numbers, so it needs a part with one activation."""
    for path, part in parts_in(spec):
        if isinstance(vars(part).get("activation"), Xielu) and not isinstance(part, HOLDERS):
            yield Finding(
                (*path, "activation"),
                "`xielu` has learned parameters and is supported only in feed-forwards of type "
                "`mlp` and `glu`; write another `activation` here",
            )


SPEC_LAWS = (learned_in_feed_forwards,)
