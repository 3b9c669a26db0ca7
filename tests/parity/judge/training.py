"""Compare models in training: dropout multiplies by 1 + rate, so that nothing is random."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch.nn.functional as F
from tiny import Case
from tiny.models import config_of
from torch import Tensor

RATE = re.compile(r"dropout|pdrop|dropout_prob|_drop$")
OTHER = re.compile(r"layerdrop|token_dropout")
"""What leaves out whole layers, or tokens."""


def dropping(case: Case) -> Case:
    """The case with a rate of its own for each dropout of its config."""
    config = config_of(case)
    fields = [field.name for field in dataclasses.fields(config)]
    names = [name for name in fields if RATE.search(name) and not OTHER.search(name)]
    names = [name for name in names if type(getattr(config, name)) in (int, float)]
    rates = {name: round(0.1 + 0.05 * i, 3) for i, name in enumerate(sorted(names))}
    return dataclasses.replace(case, over={**case.over, **rates})


@contextmanager
def factors() -> Iterator[None]:
    """Dropout, also that of attention weights, multiplies by 1 + rate."""
    dropout, attend = F.dropout, F.scaled_dot_product_attention

    def multiplied(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
        return x * (1 + p) if training else x

    def attended(*given: Any, dropout_p: float = 0.0, **named: Any) -> Tensor:
        return attend(*given, **named) * (1 + dropout_p)

    F.dropout, F.scaled_dot_product_attention = multiplied, attended  # type: ignore[assignment]
    try:
        yield
    finally:
        F.dropout, F.scaled_dot_product_attention = dropout, attend
