"""Running sums over chunks equal the computation over all pairs, also across cached steps."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch._dynamo.testing import CompileCounter

from modelwright.backends.pytorch.runtime.linear import (
    causal_linear_attention,
    compiled_fading_attention,
    compiled_linear_attention,
    fading_linear_attention,
    lightning_rates,
)

LENGTHS = (0, 1, 2, 95, 96, 97, 250)
Attend = Callable[..., tuple[Tensor, Tensor]]
FORMS: dict[str, tuple[Attend, bool]] = {
    "linear": (causal_linear_attention, False),
    "linear, compiled": (compiled_linear_attention, False),
    "fading": (fading_linear_attention, True),
    "fading, compiled": (compiled_fading_attention, True),
}


def of_pairs(q: Tensor, k: Tensor, v: Tensor, rates: Tensor) -> Tensor:
    place = torch.arange(q.size(2))
    distance = (place[:, None] - place).clamp(min=0)
    weights = (q @ k.transpose(-2, -1)) * torch.exp(-rates[:, None, None] * distance)
    return weights.tril() @ v


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("length", LENGTHS)
def test_chunks_and_steps_give_what_pairs_give(length: int, name: str) -> None:
    """Results and gradients, in one piece and in several."""
    torch.manual_seed(0)
    form, fading = FORMS[name]
    q, k, v = (
        torch.randn(2, 4, length, width, dtype=torch.float64, requires_grad=True)
        for width in (8, 8, 5)
    )
    rates = torch.rand(4, dtype=torch.float64) * fading
    wanted = of_pairs(q, k, v, rates)
    upstream = torch.randn_like(wanted)
    gradients = torch.autograd.grad(wanted, (q, k, v), upstream)
    for ends in ((), (length // 2, length - 1), (1, 2, 3, 100), (0,)):
        state, found = None, []
        for first, last in pairwise(sorted({0, *(n for n in ends if 0 <= n < length), length})):
            given = [x[:, :, first:last] for x in (q, k, v)]
            y, state = form(*given, *([rates] if fading else []), state)
            found.append(y)
        if not found:  # no token at all
            found = [form(q, k, v, *([rates] if fading else []), None)[0]]
        whole = torch.cat(found, dim=2)
        assert torch.allclose(whole, wanted, rtol=1e-12, atol=1e-11)
        for one, other in zip(
            torch.autograd.grad(whole, (q, k, v), upstream), gradients, strict=True
        ):
            assert torch.allclose(one, other, rtol=1e-12, atol=1e-11)


def test_one_graph_serves_all_lengths() -> None:
    """`torch.compile` has no loop over chunks, so that longer texts are not compiled again."""
    counter = CompileCounter()
    attend = torch.compile(causal_linear_attention, fullgraph=True, backend=counter, dynamic=True)
    for length in (20, 100, 129, 300, 1000):
        q, k, v = (torch.randn(1, 2, length, 4, dtype=torch.float64) for _ in range(3))
        found, wanted = attend(q, k, v, None), causal_linear_attention(q, k, v, None)
        for one, other in zip(found, wanted, strict=True):
            assert torch.allclose(one, other)
    assert counter.frame_count == 1


@pytest.mark.sampled(2)
@pytest.mark.parametrize("fading", [False, True])
@pytest.mark.parametrize("bounds", [{}, {"min": 1, "max": 4096}], ids=["any length", "bounded"])
def test_a_length_may_be_an_explicit_dim(bounds: dict[str, int], fading: bool) -> None:
    """`torch.export` derives no bound of a padding; the tokens of chunks are gathered."""

    class Attend(torch.nn.Module):
        def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            rates = [torch.tensor([0.1, 0.2], dtype=torch.float64)] if fading else []
            form = fading_linear_attention if fading else causal_linear_attention
            return form(q, k, v, *rates, None)[0]

    sizes = {0: torch.export.Dim("b"), 2: torch.export.Dim("t", **bounds)}
    given = tuple(torch.randn(2, 2, 9, 4, dtype=torch.float64) for _ in range(3))
    whole = torch.export.export(Attend(), given, dynamic_shapes=(sizes, sizes, sizes)).module()
    for length in (1, 95, 96, 97, 300):
        given = tuple(torch.randn(3, 2, length, 4, dtype=torch.float64) for _ in range(3))
        assert torch.allclose(whole(*given), Attend()(*given), atol=1e-10)


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
