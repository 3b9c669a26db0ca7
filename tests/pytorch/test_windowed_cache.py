"""Layers with a window keep their last tokens: steps equal one pass, and memory is bounded."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._dynamo.testing import CompileCounter
from torch.nn import functional as F

import modelwright as mw
from modelwright.backends.pytorch.runtime.sliding_cache import SlidingCache
from modelwright.compiler.decoding import places

EXAMPLES = Path(__file__).parents[2] / "examples"
SMALL = ["d_model=16", "vocab_size=61", "max_positions=64"]
TOKENS = 40
MODELS: dict[str, tuple[str, list[str]]] = {
    "window": ("tiny_llama", ["mask=causal & window(5)"]),
    "window of one": ("tiny_llama", ["mask=causal & window(1)"]),
    "window of a band": ("tiny_llama", ["mask=causal & band(3, 0)"]),
    "strides in a window": ("tiny_llama", ["mask=causal & window(9) & strided(2)"]),
    "smaller of two windows": ("tiny_llama", ["mask=window(7) & window(4)"]),
    "larger of two windows": ("tiny_llama", ["mask=window(7) | window(4)"]),
    "mixed": (
        "tiny_llama",
        [
            "layers=5",
            "blocks={local: {mask: causal & window(6)}, other: {mask: causal & window(3)}, "
            "whole: {mask: causal}}",
            "pattern=[local, other, whole]",
        ],
    ),
    "shared layers": ("tiny_llama", ["layers=4", "share=true", "mask=causal & window(5)"]),
    "sinks": ("tiny_llama", ["mask=causal & window(5)", "attention.sinks=true"]),
    "softcap": ("tiny_llama", ["mask=causal & window(5)", "attention.softcap=9.0"]),
    "latents": (
        "tiny_llama",
        [
            "mask=causal & window(5)",
            "attention={type: mla, heads: 2, kv_rank: 8, nope_dim: 4, rope_dim: 4, value_dim: 6}",
        ],
    ),
    "beside linear attention": (
        "tiny_llama",
        [
            "layers=4",
            "positions=none",
            "blocks={sums: {attention: {type: linear, heads: 2}, mask: causal}, "
            "near: {mask: causal & window(4)}}",
            "pattern=[sums, near]",
        ],
    ),
}
CHUNKS = {
    "tokens": (1,) * TOKENS,
    "a prompt": (17, *(1,) * TOKENS),
    "short chunks": (3, 2, 1, 4, 7, 1, 1, 5, TOKENS),
    "long chunks": (1, 20, 1, TOKENS),
    "one": (TOKENS,),
}


def model_of(name: str, **options: Any) -> Any:
    example, sets = MODELS[name]
    spec = mw.load(EXAMPLES / f"{example}.yaml", sets=[*SMALL, *sets])
    return mw.compile(spec, dtype="float64", seed=0, **options).eval()


def cache_of(model: Any, capacity: int) -> Any:
    return vars(sys.modules[type(model).__module__])["Cache"](capacity)


def in_chunks(
    model: Any, ids: Tensor, mask: Tensor | None, sizes: tuple[int, ...], capacity: int = TOKENS
) -> Tensor:
    cache, found, start = cache_of(model, capacity), [], 0
    for size in sizes:
        end = min(start + size, TOKENS)
        if end > start:
            real = None if mask is None else mask[:, :end]
            if mask is not None and isinstance(cache.length, Tensor):  # one column for each token
                real = F.pad(mask, (0, capacity - TOKENS), value=1)
            found.append(model(ids[:, start:end], real, cache=cache))
        start = end
    return torch.cat(found, dim=1)


def check_chunks(model: Any, capacity: int = TOKENS) -> Tensor:
    """Cached chunks equal the whole, with padding and without. Returns the ids."""
    ids = torch.randint(1, 61, (3, TOKENS), generator=torch.Generator().manual_seed(0))
    padded = torch.ones_like(ids)
    padded[0, :7] = padded[1, :30] = 0
    for mask in (None, padded):
        whole = model(ids, mask)
        for pattern, sizes in CHUNKS.items():
            found = in_chunks(model, ids, mask, sizes, capacity)
            assert (found - whole).abs().max() <= 1e-12 * whole.abs().max(), pattern
    return ids


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_chunks_of_any_length_equal_the_whole(name: str) -> None:
    check_chunks(model_of(name))


STATIC = {name: case for name, case in MODELS.items() if name != "beside linear attention"} | {
    "biased layers": ("tiny_llama", ["mask=causal & window(5)", "positions=alibi"]),
    "grouped queries with sinks": (
        "tiny_llama",
        [
            "attention={heads: 4, kv_heads: 2, sinks: true}",
            "blocks={a: {mask: causal & window(6)}, b: {mask: causal, positions: none}}",
            "pattern=[a, b]",
        ],
    ),
}


@pytest.mark.sampled(6)
@pytest.mark.parametrize("capacity", [TOKENS, 47])
@pytest.mark.parametrize("name", STATIC)
@torch.no_grad()
def test_chunks_of_a_static_cache_equal_the_whole(
    name: str, capacity: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Layers with a window have a ring; `inspect` counts its slots."""
    monkeypatch.setitem(MODELS, name, STATIC[name])
    model = model_of(name, static_cache=True)
    ids = check_chunks(model, capacity)
    cache = cache_of(model, capacity)
    model(ids, cache=cache)
    held = sum(x.nbytes for kv in cache.kv.values() for x in kv)
    example, sets = STATIC[name]
    spec = mw.load(EXAMPLES / f"{example}.yaml", sets=[*SMALL, *sets])
    sizes = {"batch": 3, "sequence": capacity, "dtype": "float64"}
    assert held == mw.report(spec, **sizes, static_cache=True).cache_bytes


@pytest.mark.parametrize("chunk", [4, pytest.param(1, marks=pytest.mark.slow)])
@torch.no_grad()
def test_steps_with_rings_are_compiled_once(chunk: int) -> None:
    model, plain = model_of("mixed", static_cache=True), model_of("mixed")
    ids = torch.randint(1, 61, (2, TOKENS), generator=torch.Generator().manual_seed(0))
    counter, cache = CompileCounter(), cache_of(model, TOKENS)
    step = torch.compile(model.hidden_states, fullgraph=True, backend=counter)
    model(ids[:, : TOKENS % chunk + 8], cache=cache)
    whole = plain.hidden_states(ids)
    for start in range(TOKENS % chunk + 8, TOKENS, chunk):
        found = step(ids[:, start : start + chunk], cache=cache)
        assert (found - whole[:, start : start + chunk]).abs().max() <= 1e-12 * whole.abs().max()
    assert counter.frame_count <= 2


@torch.no_grad()
def test_the_cache_of_a_window_is_as_large_as_the_window() -> None:
    spec = mw.load(EXAMPLES / "tiny_llama.yaml", sets=["mask=causal & window(64)", *BIG])
    model = mw.compile(spec, seed=0).eval()
    cache = cache_of(model, 512)
    model(torch.zeros(2, 500, dtype=torch.long), cache=cache)
    for _ in range(12):
        model(torch.zeros(2, 1, dtype=torch.long), cache=cache)
    held = sum(x.nbytes for kv in cache.kv.values() for x in kv)
    window = held // cache.kv[0][0].size(2) * 64
    assert held <= 1.1 * window
    assert mw.report(spec, batch=2, sequence=512).cache_bytes == held


BIG = ["max_positions=512"]


@torch.no_grad()
def test_the_ring_of_a_window_is_as_large_as_the_window() -> None:
    spec = mw.load(EXAMPLES / "tiny_llama.yaml", sets=["mask=causal & window(64)", *BIG])
    model = mw.compile(spec, seed=0, static_cache=True).eval()
    model.generate(torch.zeros(2, 100, dtype=torch.long), 12)  # type: ignore[operator]
    cache = cache_of(model, 512)
    model(torch.zeros(2, 500, dtype=torch.long), cache=cache)
    assert [x.size(2) for kv in cache.kv.values() for x in kv] == [63] * 2 * len(cache.kv)


@pytest.mark.parametrize(
    "change",
    ["mask=causal & (window(5) | global(1))", "mask=causal & fixed(8, 2)", "positions=alibi"],
)
def test_masks_that_count_from_the_start_keep_all_tokens(change: str) -> None:
    window = "mask=causal & window(5)"
    assert "kept: int | None" in mw.emit(mw.load(EXAMPLES / "tiny_llama.yaml", sets=[window]))
    text = mw.emit(mw.load(EXAMPLES / "tiny_llama.yaml", sets=[window, change]))
    assert "kept: int | None" not in text
    assert "cache.append(self.layer, k, v)" in text


@pytest.mark.parametrize(("window", "kept"), [(63, 62), (64, None)])
def test_a_window_of_all_positions_keeps_all(window: int, kept: int | None) -> None:
    sets = [*SMALL, "positions=learned", f"mask=causal & window({window})"]
    graph = mw.lower(mw.load(EXAMPLES / "tiny_llama.yaml", sets=sets))
    found = {op.attrs.get("kept") for op in graph.ops() if op.kind == "cache"}
    assert found == {kept}


@pytest.mark.parametrize("previous", [0, 1, 5, 40])
def test_the_cache_returns_previous_tokens_and_the_new_ones(previous: int) -> None:
    keys = torch.arange(200.0)[None, None, :, None].expand(2, 1, -1, 3)
    cache = SlidingCache(200)
    for size in (1, 3, 9, 1, 1, 60, 2, 1, 1, 1, 50, 5, 4, 1):
        start, end = cache.length, cache.length + size
        k, v = cache.append(0, keys[:, :, start:end], -keys[:, :, start:end], previous)
        wanted = keys[:, :, max(0, start - previous) : end]
        assert torch.equal(k, wanted)
        assert torch.equal(v, -wanted)
        cache.length = end
    assert cache.kv[0][0].size(2) == places(previous, 200)
    with pytest.raises(ValueError, match="tokens, but the cache holds 200"):
        cache.append(0, keys, keys, previous)
