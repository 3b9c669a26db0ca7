"""Attention in tiles: equal to one dense mask and to both judges, at the cost of what it reads."""

from __future__ import annotations

import inspect
import sys
import weakref
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from tile_cases import (
    CASES,
    DECODER,
    DECODERS,
    EXACT,
    LENGTH,
    arguments,
    built,
)
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounter

import modelwright as mw
from modelwright.backends import oracle, reference
from modelwright.backends.pytorch.runtime.ranges import at_most_half
from modelwright.backends.verify.laws.tiling import tiles_of
from modelwright.compiler.op_costs import lengths_at


@pytest.mark.sampled(12)
@pytest.mark.parametrize("padding", ["none", "all real", "left", "right"])
@pytest.mark.parametrize("name", CASES)
def test_tiles_equal_the_reference_and_the_oracle(name: str, padding: str) -> None:
    spec, model, module = built(name)
    data = arguments(padding, model)
    arrays = {key: value.numpy() for key, value in data.items()}
    weights = {key: value.numpy() for key, value in model.state_dict().items()}
    graph = mw.lower(spec)
    (head,) = graph.outputs
    by_reference = reference.run(graph, weights, arrays)[head]
    by_oracle = by_reference  # the language does not say what `random` draws
    if "random" not in name:
        by_oracle = oracle.run(spec, weights, arrays)[head]
    for size in (0, 1, 3, 4, 16):
        with tiles_of(module, size), torch.no_grad():
            found = model(**data).numpy()
        np.testing.assert_allclose(found, by_reference, rtol=0, atol=EXACT, err_msg=f"{size}")
        np.testing.assert_allclose(found, by_oracle, rtol=0, atol=EXACT, err_msg=f"{size}")


@pytest.mark.sampled(8)
@pytest.mark.parametrize("name", CASES)
def test_gradients_in_tiles_are_those_of_one_mask(name: str) -> None:
    _, model, module = built(name)
    data = arguments("left", model)
    found: list[dict[str, Tensor]] = []
    for size in (0, 1, 3, 16):
        model.zero_grad()
        with tiles_of(module, size):
            model(**data).sin().sum().backward()
        grads = {n: w.grad.clone() for n, w in model.named_parameters() if w.grad is not None}
        found.append(grads)
    for other in found[1:]:
        assert other.keys() == found[0].keys()
        for key, value in other.items():
            assert torch.allclose(value, found[0][key], rtol=0, atol=1e-11), key


@pytest.mark.sampled(12)
@pytest.mark.parametrize("sizes", [(5, 8), (1,) * LENGTH, (3, 3, 7), (12, 1)])
@pytest.mark.parametrize("padding", ["none", "left"])
@pytest.mark.parametrize("name", DECODERS)
def test_pieces_with_a_cache_equal_the_whole(
    name: str, padding: str, sizes: tuple[int, ...]
) -> None:
    _, model, module = built(name)
    data = arguments(padding, model)
    if padding == "left" and "position_ids" in inspect.signature(model.forward).parameters:
        data["position_ids"] = (data["attention_mask"].cumsum(1) - 1).clamp(min=0)
    with torch.no_grad(), tiles_of(module, 0):
        whole = model(**data)
    with torch.no_grad(), tiles_of(module, 3):
        cache, start = module.Cache(LENGTH), 0
        for size in sizes:
            piece = {key: value[:, start : start + size] for key, value in data.items()}
            for seen in data.keys() & {"attention_mask", "document_ids"}:
                piece[seen] = data[seen][:, : start + size]
            found = model(**piece, cache=cache)
            expected = whole[:, start : start + size]
            assert torch.allclose(found, expected, rtol=0, atol=EXACT)
            start += size


# -- what it costs


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("encoder: global tokens with projections", [0, 11, 12]),
        ("encoder: given tokens with projections", [3, 8]),
    ],
)
def test_queries_of_global_tokens_are_projected_alone(name: str, rows: list[int]) -> None:
    """Those of all sequences of a batch; counted as FLOPs, without those that are given."""
    spec, model, _ = built(name)
    inputs: dict[str, Tensor] = {}
    layer = model.layers[0].attention
    layer.query.register_forward_pre_hook(lambda _, given: inputs.update(all=given[0]))
    layer.query_global.register_forward_pre_hook(lambda _, given: inputs.update(own=given[0]))
    model(**arguments("none", model))
    assert inputs["own"].equal(inputs["all"][:, rows])
    graph = mw.lower(spec)
    (places,) = {op.outputs[0] for op in graph.ops() if op.kind == "global_places"}
    assert [str(dim) for dim in graph.values[places].shape] == ["Tg"]
    counted = lengths_at(graph, 2, LENGTH)["Tg"]
    assert counted == (0 if "given" in name else len(rows))


def test_a_global_token_alone_opens_all_keys() -> None:
    """The tile that would contain it is cut, so that its neighbours read their band."""
    _, _, module = built("encoder: given tokens")
    marks = torch.zeros(2, 40, dtype=torch.long)
    marks[1, 21] = 1
    with tiles_of(module, 8):
        tiles = module.band_global_tiles(0, 40, 1, None, marks, torch.zeros(1))
    whole = [tile.queries for tile in tiles if tile.keys == (slice(0, 40),)]
    assert whole == [1]
    assert [tile.queries for tile in tiles] == [8, 8, 5, 1, 2, 8, 8]


@pytest.mark.parametrize(("keys", "sparse"), [(5, True), (6, False)])
def test_tiles_of_more_than_half_of_all_keys_are_one(keys: int, sparse: bool) -> None:
    runs = [(first, first + 5, (slice(0, keys),)) for first in (0, 5)]
    assert at_most_half(runs, 0, 10) == (runs if sparse else [(0, 10, ())])


def plan(module: ModuleType, tokens: int, mask: Tensor | None = None) -> list[Any]:
    like = torch.zeros(1)
    tiles: list[Any] = module.causal_window_tiles(0, tokens, 4, mask, like)
    return tiles


def test_a_tile_reads_its_window_alone() -> None:
    _, _, module = built("window")
    with tiles_of(module, 4):
        tiles = plan(module, 14)
    assert [(tile.queries, tile.keys) for tile in tiles] == [
        (4, (slice(0, 4),)),
        (4, (slice(1, 8),)),
        (4, (slice(5, 12),)),
        (2, (slice(9, 14),)),
    ]


def test_keys_before_a_tile_are_a_multiple_of_eight() -> None:
    """Attention to 7 keys fewer is slower: vectors are not whole."""
    _, _, module = built("window")
    first = plan(module, 1024)[1]
    assert (first.queries, first.keys) == (64, (slice(56, 128),))
    assert first.mask.isfinite().sum(-1).tolist() == [4] * 64


def test_tiles_share_one_mask_and_real_tokens_cost_nothing() -> None:
    _, _, module = built("window")
    mask = torch.ones(2, 30, dtype=torch.long)
    with tiles_of(module, 4):
        tiles = plan(module, 30, mask)
        assert len({tile.mask.untyped_storage().data_ptr() for tile in tiles}) == 1
        mask[1, :6] = 0
        tiles = plan(module, 30, mask)
    assert [tile.mask.dim() for tile in tiles] == [4, 4, 4, *[2] * 5], "those that read padding"


def test_tiles_on_a_device_read_no_value_of_the_mask() -> None:
    """Reading one would make the host wait for the device."""
    _, _, module = built("window")
    mask = torch.ones(2, 30, dtype=torch.long, device="meta")
    with tiles_of(module, 4):
        tiles = module.causal_window_tiles(0, 30, 4, mask, torch.zeros(1, device="meta"))
    assert [tile.mask.shape for tile in tiles[1:3]] == [(2, 1, 4, 7), (2, 1, 4, 7)]


def test_a_window_over_all_tokens_is_left_to_the_kernel() -> None:
    _, _, module = built("window")
    for size in (0, 4):
        with tiles_of(module, size):
            assert [tile.mask for tile in plan(module, 4)] == [None]
            assert all(tile.mask is not None for tile in plan(module, 5))


def test_short_texts_have_one_mask() -> None:
    _, _, module = built("window")
    assert (module.DENSE, module.TILE) == (1024, 64)
    assert len(plan(module, 1023)) == 1
    assert len(plan(module, 1024)) == 16


def test_training_keeps_little_more_than_its_inputs() -> None:
    _, _, module = built("window")
    q, k, v = (torch.randn(1, 2, 600, 16, requires_grad=True) for _ in range(3))
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with tiles_of(module, 64), torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        tiles = module.causal_window_tiles(0, 600, 64, None, q)
        attend = nn.functional.scaled_dot_product_attention
        y = module.tiled_attention(q, k, v, tiles, attend)
    results = y.numel() * y.element_size()
    assert sum(kept.values()) - results <= 1.5 * 3 * q.numel() * q.element_size()


RECOMPUTED = {
    "sinks": "sinks: true",
    "softcap": "softcap: 5",
    "dropout": "dropout: 0.1",
    "all": "kv_heads: 1, sinks: true, softcap: 5, dropout: 0.1",
    "relative bias": "",
    "several ranges": "softcap: 5, dropout: 0.1",
    "of a stride": "dropout: 0.1",
}
"""Attention whose kernel would save scores."""
WINDOW = "causal & window(9)"
RANGES = {
    "several ranges": "causal & (window(9) | keys(0:2))",
    "of a stride": "causal & strided(9)",
}


def recomputing(name: str, **options: bool) -> tuple[nn.Module, dict[str, Any]]:
    """A model in training, and the names of its file."""
    sets = [f"attention={{heads: 2, {RECOMPUTED[name]}}}", f"mask={RANGES.get(name, WINDOW)}"]
    if name == "relative bias":
        sets.append("positions={type: relative_bias, buckets: 6, bidirectional: false}")
    model = mw.compile(mw.loads(DECODER, sets=sets), dtype="float64", **options).train()
    return model, vars(sys.modules[type(model).__module__])


def trained(model: nn.Module, file: dict[str, Any], recomputed: Any) -> list[Tensor]:
    """Outputs and gradients of one step, and random numbers drawn before and after `backward`."""
    ids = torch.randint(0, 40, (2, 40), generator=torch.Generator().manual_seed(5))
    model.zero_grad()
    torch.manual_seed(3)
    module = sys.modules[type(model).__module__]
    with tiles_of(module, 8), mock.patch.dict(file, recomputed=recomputed):
        y = model(ids)
        drawn = torch.rand(2)
        y.sin().sum().backward()
    return [y, drawn, torch.rand(2), *(w.grad for w in model.parameters() if w.grad is not None)]


def saving(tiled: Any, *given: Any, when: bool = True) -> Any:
    """In place of `recomputed`: computes nothing again."""
    return tiled(*given)


@pytest.mark.parametrize("checkpointed", [False, True])
@pytest.mark.parametrize("name", RECOMPUTED)
def test_scores_computed_again_are_the_same(name: str, checkpointed: bool) -> None:
    """Outputs, gradients and the next random numbers are those without recomputation."""
    model, file = recomputing(name, gradient_checkpointing=checkpointed)
    found = trained(model, file, file["recomputed"])
    expected = trained(model, file, saving)
    assert len(found) == len(expected) > 10
    assert all(
        torch.allclose(a, b, rtol=0, atol=EXACT) for a, b in zip(found, expected, strict=True)
    )


@pytest.mark.parametrize("name", [name for name in RECOMPUTED if name not in RANGES])
def test_scores_are_not_kept(name: str) -> None:
    """Training keeps the inputs of attention, which tiles share, and their masks."""
    model, file = recomputing(name)
    plain, kept, inputs = file["recomputed"], dict[int, int](), list[int]()

    def pack(x: Tensor) -> Tensor:
        kept[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x

    def watched(
        tiled: Any, q: Tensor, k: Tensor, v: Tensor, tiles: Any, *given: Any, **when: Any
    ) -> Any:
        inputs.append(sum(x.nbytes for x in (q, k, v)))
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            y = plain(tiled, q, k, v, tiles, *given, **when)
        for tile in tiles:
            kept.pop(tile.mask.untyped_storage().data_ptr(), None)
        return y

    trained(model, file, watched)
    assert len(inputs) == 2
    assert 0 < sum(kept.values()) <= 1.5 * sum(inputs)


def test_copies_of_keys_are_not_kept_for_the_backward() -> None:
    _, _, module = built("encoder: global tokens")
    q, k, v = (torch.randn(1, 2, 1200, 16, requires_grad=True) for _ in range(3))
    copies: list[weakref.ref[Any]] = []
    attend = nn.functional.scaled_dot_product_attention

    whole = {x.untyped_storage().data_ptr() for x in (k, v)}

    def watched(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
        storages = [x.untyped_storage() for x in (k, v)]
        copies.extend(weakref.ref(one) for one in storages if one.data_ptr() not in whole)
        return attend(q, k, v, attn_mask=mask)

    with tiles_of(module, 64):
        tiles = module.band_global_tiles(0, 1200, 64, None, q)
        y = module.gathered_attention(q, k, v, tiles, watched)
    assert len(copies) > 20
    assert all(copy() is None for copy in copies)
    y.sum().backward()


@pytest.mark.parametrize(
    "name",
    ["with causal layers", pytest.param("encoder: random blocks", marks=pytest.mark.slow)],
)
def test_a_compiled_model_is_one_graph_for_all_lengths(name: str) -> None:
    _, model, module = built(name)
    torch._dynamo.reset()
    count = CompileCounter()
    with tiles_of(module, 4), torch.no_grad():
        compiled = torch.compile(model, backend=count, fullgraph=True)
        for tokens in range(2, 22, 2):
            ids = torch.randint(0, 40, (2, tokens))
            assert torch.allclose(compiled(ids), model(ids), rtol=0, atol=EXACT)
    assert count.frame_count <= 3, "compiled once, and at most twice again"


def test_an_exported_model_draws_blocks_for_any_length() -> None:
    """Also for fewer tokens than a block has, and for fewer blocks than are drawn."""
    _, model, _ = built("encoder: random blocks")
    tokens = torch.export.Dim("tokens", min=2, max=64)
    ids = torch.randint(0, 40, (2, 40), generator=torch.Generator().manual_seed(2))
    program = torch.export.export(model, (ids,), dynamic_shapes=({1: tokens},)).module()
    for length in (2, 3, 4, 13, 40):
        part = ids[:, :length]
        assert torch.allclose(program(part), model(part), rtol=0, atol=EXACT)
