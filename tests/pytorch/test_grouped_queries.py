"""One query in grouped-query attention: the heads of a group are the queries of its keys."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._dynamo.testing import CompileCounter
from torch.nn import functional as F

import modelwright as mw
from modelwright.backends.pytorch.runtime.functions import by_group
from modelwright.backends.pytorch.runtime.grouped import grouped_attention

BATCH, HEADS, WIDTH, SEEN = 2, 6, 8, 11
MODELS = {
    "causal": (),
    "window": ("mask=causal & window(3)",),
    "alibi": ("positions=alibi",),
    "relative": ("positions={type: relative_bias, buckets: 8, max_distance: 20}",),
    "sinks": ("attention.sinks=true",),
    "softcap": ("attention.softcap=5.0",),
    "softcap and alibi": ("attention.softcap=5.0", "positions=alibi"),
    "dropout": ("attention.dropout=0.1",),
    "a mask for each run of heads": ("mask=[causal, causal & window(3)]",),
    "wide values": ("attention.value_dim=5",),
}


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


@pytest.mark.parametrize("kv_heads", [1, 2, 3])
@pytest.mark.parametrize("tokens", [0, 1, 2])
def test_heads_of_a_group_are_the_queries(
    tokens: int, kv_heads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    q = drawn(BATCH, HEADS, tokens, WIDTH)
    k, v = drawn(BATCH, kv_heads, SEEN, WIDTH), drawn(BATCH, kv_heads, SEEN, 5)
    each = [x.repeat_interleave(HEADS // kv_heads, dim=1) for x in (k, v)]
    real = torch.rand(BATCH, 1, 1, SEEN) < 0.7
    masks = [None, real, torch.rand(tokens, SEEN) < 0.7]
    biases = [drawn(HEADS, tokens, SEEN), drawn(BATCH, HEADS, tokens, SEEN)]
    for given, by_head in [*((mask, False) for mask in masks), *((bias, True) for bias in biases)]:
        bias = by_group(given, kv_heads) if by_head else given
        wanted = F.scaled_dot_product_attention(q, *each, attn_mask=given, scale=0.3)
        found = grouped_attention(q, k, v, attn_mask=bias, scale=0.3)
        assert torch.allclose(found, wanted, rtol=1e-12, atol=1e-12)
    keys: list[Any] = []
    kernel = F.scaled_dot_product_attention

    def watched(*given: Tensor, **options: Any) -> Tensor:
        keys.append((given[0].shape, options.get("enable_gqa", False)))
        return kernel(*given, **options)

    monkeypatch.setattr(F, "scaled_dot_product_attention", watched)
    grouped_attention(q, k, v)
    shared = (BATCH, kv_heads, HEADS // kv_heads, WIDTH)
    assert keys == [(shared, False) if tokens == 1 else (q.shape, True)]


def model_of(*sets: str) -> Any:
    own = ["d_model=24", "layers=2", "attention.heads=6", "attention.kv_heads=2"]
    spec = mw.load("examples/tiny_llama.yaml", sets=[*own, "positions=rotary", *sets])
    return mw.compile(spec, dtype="float64", seed=0).eval()


def cache_of(model: Any, capacity: int) -> Any:
    return vars(sys.modules[type(model).__module__])["Cache"](capacity)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_steps_equal_the_whole(name: str) -> None:
    """By single tokens, padded and not, whatever joins the scores."""
    model = model_of(*MODELS[name])
    ids = torch.randint(1, 60, (3, 9), generator=torch.Generator().manual_seed(0))
    padded = torch.ones_like(ids)
    padded[0, :4] = padded[1, :1] = 0
    for mask in (None, padded):
        whole = model(ids, mask)
        cache = cache_of(model, 9)
        steps = [
            model(ids[:, i : i + 1], None if mask is None else mask[:, : i + 1], cache=cache)
            for i in range(9)
        ]
        assert (torch.cat(steps, dim=1) - whole).abs().max() < 1e-12 * whole.abs().max()


def test_one_compilation_for_every_batch() -> None:
    """A step is one graph, and no size of a batch is a case of its own."""
    model, counter = model_of(), CompileCounter()
    step = torch.compile(model, fullgraph=True, backend=counter, dynamic=True)
    with torch.no_grad():
        for batch in (5, 7, 9):
            cache = cache_of(model, 8)
            ids = torch.randint(1, 60, (batch, 4))
            model(ids[:, :3], cache=cache)
            found = step(ids[:, 3:], cache=cache)
            assert torch.allclose(found, model(ids)[:, 3:])
    assert counter.frame_count == 1
