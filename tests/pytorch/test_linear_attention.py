"""Sums that run along in chunks give what all pairs give, also from one cached step to the next."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from modelwright.backends.pytorch.runtime.linear import (
    causal_linear_attention,
    fading_linear_attention,
    lightning_rates,
)

LENGTHS = (1, 2, 63, 64, 65, 130, 200)


def of_pairs(q: Tensor, k: Tensor, v: Tensor, rates: Tensor) -> Tensor:
    place = torch.arange(q.size(2))
    distance = (place[:, None] - place).clamp(min=0)
    weights = (q @ k.transpose(-2, -1)) * torch.exp(-rates[:, None, None] * distance)
    return weights.tril() @ v


@pytest.mark.parametrize("fading", [False, True])
@pytest.mark.parametrize("length", LENGTHS)
def test_chunks_and_steps_give_what_pairs_give(length: int, fading: bool) -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 4, length, width, dtype=torch.float64) for width in (8, 8, 5))
    rates = torch.rand(4, dtype=torch.float64) if fading else torch.zeros(4, dtype=torch.float64)

    def attend(first: int, last: int, state: Tensor | None) -> tuple[Tensor, Tensor]:
        given = [x[:, :, first:last] for x in (q, k, v)]
        if fading:
            return fading_linear_attention(*given, rates, state)
        return causal_linear_attention(*given, state)

    wanted = of_pairs(q, k, v, rates)
    assert torch.allclose(attend(0, length, None)[0], wanted, rtol=1e-12, atol=1e-12)
    state, steps = None, []
    for first, last in [(0, length // 2), (length // 2, length - 1), (length - 1, length)]:
        if last > first:
            y, state = attend(first, last, state)
            steps.append(y)
    assert torch.allclose(torch.cat(steps, dim=2), wanted, rtol=1e-12, atol=1e-12)


def test_half_precision_sums_in_float32() -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 2, 100, 8, dtype=torch.bfloat16) for _ in range(3))
    y, state = causal_linear_attention(q, k, v, None)
    assert (y.dtype, state.dtype) == (torch.bfloat16, torch.float32)
    wanted = of_pairs(q.float(), k.float(), v.float(), torch.zeros(2))
    assert torch.allclose(y.float(), wanted, rtol=0.01, atol=0.01)


def test_later_layers_forget_more_slowly() -> None:
    first, last = (lightning_rates(8, layer, 4, like=torch.zeros(1)) for layer in (0, 3))
    assert torch.allclose(first[:2], torch.tensor([0.5, 0.25]), atol=1e-4)
    assert torch.all(last < first / 1000)
