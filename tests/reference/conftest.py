"""Computing one op by itself, and whole specs written as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import modelwright as mw
from modelwright.backends.reference import COMPUTE, random_weights, run
from modelwright.backends.reference.call import Call

Compute = Callable[..., Any]


@pytest.fixture
def compute() -> Compute:
    """`compute(kind, *inputs, weights={}, batch=0, tokens=0, **attrs)`: the result of one op."""

    def call(
        kind: str,
        *inputs: Any,
        weights: dict[str, Any] | None = None,
        batch: int = 0,
        tokens: int = 0,
        **attrs: Any,
    ) -> Any:
        arrays = tuple(None if x is None else np.asarray(x) for x in inputs)
        held = {name: np.asarray(w, dtype=np.float64) for name, w in (weights or {}).items()}
        return COMPUTE[kind](Call(kind, arrays, attrs, held, batch, tokens))

    return call


class Model:
    """A spec with random weights, run by the reference."""

    def __init__(self, text: str, seed: int = 0) -> None:
        self.graph = mw.lower(mw.loads(text))
        self.weights = random_weights(self.graph, seed)

    def __call__(self, **inputs: Any) -> Any:
        arrays = {name: np.asarray(x) for name, x in inputs.items()}
        return run(self.graph, self.weights, arrays)

    def hidden(self, **inputs: Any) -> Any:
        """The last hidden states of the only stack, (B, T, D)."""
        (name,) = self.graph.hidden
        return self(**inputs)[f"hidden:{name}"]


@pytest.fixture
def model() -> Callable[..., Model]:
    return Model
