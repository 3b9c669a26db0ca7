"""Attention in tiles: equal to one dense mask and to both judges, at the cost of what it reads."""

from __future__ import annotations

import inspect
import re
import sys
import weakref
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounter

import modelwright as mw
from modelwright.backends import oracle, reference
from modelwright.backends.pytorch import BuildError, BuildOptions, emit_file
from modelwright.backends.pytorch.runtime.ranges import at_most_half
from modelwright.backends.verify.laws.tiling import tiles_of
from modelwright.compiler import ModuleGraph
from modelwright.compiler.op_costs import lengths_at

EXACT = 1e-12
EXAMPLES = Path(__file__).parents[2] / "examples"
DECODER = """
name: tiny
family: decoder-only
vocab_size: 40
d_model: 16
layers: 2
positions: rotary
mask: causal & window(4)
attention: {heads: 4}
head: language_model
"""
ENCODER = DECODER.replace("decoder-only", "encoder-only").replace("causal & window(4)", "band(2)")
BIAS = "{type: relative_bias, buckets: 6, max_distance: 9, bidirectional: false}"
BIAS_OF_LAYER = f"positions={BIAS[:-1]}, share: layer}}"
DECODERS: dict[str, tuple[str, ...]] = {
    "window": (),
    "window of one": ("mask=causal & window(1)",),
    "wider than the text": ("mask=causal & window(99)",),
    "window without causal": ("mask=window(5)",),
    "two windows": ("mask=causal & (window(2) | window(6) & ~strided(2))",),
    "shared keys": ("attention.kv_heads=2",),
    "softcap": ("attention.softcap=5.0",),
    "softcap and sinks": ("attention.softcap=2.0", "attention.sinks=true"),
    "softcap, sinks and shared keys": (
        "attention={heads: 4, kv_heads: 2, softcap: 2.0, sinks: true}",
    ),
    "alibi": ("positions=alibi",),
    "alibi with causal layers": (
        "positions=alibi",
        "blocks={a: {mask: causal}, b: {}}",
        "pattern=[a, b]",
    ),
    "alibi of some layers": (
        "blocks={a: {positions: alibi}, b: {}}",
        "pattern=[a, b]",
    ),
    "alibi and shared keys": ("positions=alibi", "attention.kv_heads=2"),
    "alibi and sinks": ("positions=alibi", "attention.sinks=true"),
    "alibi, sinks, softcap and one key head": (
        "positions=alibi",
        "attention={heads: 4, kv_heads: 1, softcap: 2.0, sinks: true}",
    ),
    "alibi and additive": ("positions=alibi", "attention.score=additive"),
    "alibi and distance": ("positions=alibi", "attention.score=distance"),
    "relative bias": (f"positions={BIAS}",),
    "relative bias and shared keys": (f"positions={BIAS}", "attention.kv_heads=2"),
    "relative bias, softcap and sinks": (
        f"positions={BIAS}",
        "attention={heads: 4, softcap: 2.0, sinks: true}",
    ),
    "relative bias of two kinds of layers": (
        f"positions={BIAS}",
        "blocks={a: {mask: causal}, b: {}, c: {mask: causal & documents}}",
        "pattern=[a, b, c]",
        "layers=3",
    ),
    "relative bias of each layer": (BIAS_OF_LAYER,),
    "relative bias of each layer, causal layers and shared keys": (
        BIAS_OF_LAYER,
        "blocks={a: {mask: causal}, b: {mask: causal & blocks(3)}, c: {}}",
        "pattern=[a, b, c]",
        "layers=3",
        "attention={heads: 4, kv_heads: 2, softcap: 2.0, sinks: true}",
    ),
    "alibi and blocks": ("positions={type: alibi, slopes: ceil}", "mask=causal & blocks(3)"),
    "sinks": ("attention.sinks=true",),
    "sinks and shared keys": ("attention.sinks=true", "attention.kv_heads=1"),
    "distance": ("attention.score=distance",),
    "additive": ("attention.score=additive",),
    "latent": (
        "attention={type: mla, heads: 2, kv_rank: 6, nope_dim: 4, rope_dim: 2, value_dim: 3}",
    ),
    "blocks": ("mask=causal & blocks(3)",),
    "blocks and causal layers": (
        "blocks={a: {mask: causal}, b: {mask: causal & blocks(3)}, c: {}}",
        "pattern=[a, b, c]",
        "layers=3",
    ),
    "fixed": ("mask=causal & fixed(4, 1)",),
    "strided": ("mask=causal & strided(3)",),
    "strided, shared keys, softcap and sinks": (
        "mask=causal & strided(2)",
        "attention={heads: 4, kv_heads: 2, softcap: 2.0, sinks: true}",
    ),
    "strided documents": ("mask=causal & strided(2) & (documents | keys(0:2))",),
    "strided and causal layers": (
        "blocks={a: {mask: causal}, b: {mask: causal & strided(3)}, c: {}}",
        "pattern=[a, b, c]",
        "layers=3",
    ),
    "strided beside a window": ("mask=causal & (window(2) | strided(5))",),
    "dilated window": ("mask=causal & window(200) & strided(2)",),
    "strided alibi": ("positions=alibi", "mask=causal & strided(3)"),
    "documents": ("mask=causal & documents",),
    "masks of heads": ('mask=["causal & window(3)", "causal & strided(4)"]',),
    "masks of heads and shared keys": (
        'mask=["causal & window(3)", causal]',
        "attention={heads: 8, kv_heads: 2, softcap: 2.0}",
    ),
    "masks of heads in some layers": (
        "blocks={a: {mask: [causal & blocks(3), causal & window(2)]}, b: {mask: causal}, c: {}}",
        "pattern=[a, b, c]",
        "layers=3",
        "attention={heads: 4, kv_heads: 2}",
    ),
    "masks of heads and a mask of another layer": (
        'blocks={a: {mask: ["causal & documents", "causal & window(4)", causal, causal]}, b: {}}',
        "pattern=[a, b]",
    ),
    "with causal layers": ("blocks={a: {mask: causal}, b: {}}", "pattern=[a, b]"),
    "shared layers": ("share=true",),
}
ENCODERS: dict[str, tuple[str, ...]] = {
    "band": (),
    "alibi": ("positions=alibi",),
    "relative bias": (
        "positions={type: relative_bias, buckets: 8, max_distance: 9}",
        "mask=band(3, 2)",
    ),
    "relative bias of each layer and global tokens": (
        "positions={type: relative_bias, buckets: 8, max_distance: 9, share: layer}",
        "mask=band(1) | global(0:1)",
    ),
    "relative bias of some layers": (
        "positions={type: relative_bias, buckets: 8, max_distance: 9}",
        "blocks={a: {mask: full}, b: {mask: blocks(3) | global(0:1)}}",
        "pattern=[a, b]",
    ),
    "alibi and global tokens": ("positions=alibi", "mask=band(1) | global(0:1)"),
    "lopsided": ("mask=band(1, 4)",),
    "intersection": ("mask=band(4, 1) & strided(2)",),
    "band with a hole": ("mask=band(3, 2) & ~band(1)",),
    "union": ("mask=band(0) | band(2, 1)",),
    "with full layers": ("blocks={a: {mask: full}, b: {}}", "pattern=[a, b]"),
    "global tokens": ("mask=band(1) | global(0:1)",),
    "given tokens": ("mask=band(1) | global(given)",),
    "global tokens with projections": (
        "mask=band(1) | global(0:1) | global(-2:)",
        "attention.separate_global=true",
    ),
    "given tokens with projections": (
        "mask=band(1) | global(given)",
        "attention={heads: 4, kv_heads: 2, separate_global: true, qk_norm: head}",
        "positions=rotary",
    ),
    "strided": ("mask=strided(4)",),
    "strided, blocks and full layers": (
        "blocks={a: {mask: full}, b: {mask: strided(3)}, c: {mask: blocks(3) | keys(0:1)}}",
        "pattern=[a, b, c]",
        "layers=3",
    ),
    "random blocks": ("mask=blocks(2) | random(3, 1) | global(0:1)",),
    "masks of heads": ('mask=["band(2)", full]',),
    "masks of heads with global tokens": (
        'mask=["band(1) | global(given)", "blocks(3) | global(0:1)", "strided(4)", documents]',
    ),
    "blocks, shared keys": ("mask=blocks(2, 1)", "attention.kv_heads=2"),
    "blocks, softcap": ("mask=blocks(3)", "attention.softcap=4.0"),
    "blocks, sinks": ("mask=blocks(3)", "attention.sinks=true"),
    "blocks, band and full": (
        "blocks={a: {mask: full}, b: {}, c: {mask: blocks(3)}}",
        "pattern=[a, b, c]",
        "layers=3",
    ),
    "with full and causal layers": (
        "blocks={a: {mask: full}, b: {}, c: {mask: causal}}",
        "pattern=[a, b, c]",
        "layers=3",
    ),
}
CASES = {name: (DECODER, sets) for name, sets in DECODERS.items()} | {
    f"encoder: {name}": (ENCODER, sets) for name, sets in ENCODERS.items()
}
LENGTH = 13


def built(name: str) -> tuple[Any, nn.Module, ModuleType]:
    text, sets = CASES[name]
    spec = mw.loads(text, sets=sets)
    model = mw.compile(spec, dtype="float64").eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.2 * torch.randn(weight.shape, generator=generator, dtype=weight.dtype))
    return spec, model, sys.modules[type(model).__module__]


def arguments(padding: str, model: nn.Module | None = None) -> dict[str, Tensor]:
    found = padded(padding)
    names = () if model is None else inspect.signature(model.forward).parameters
    if "document_ids" in names:
        found["document_ids"] = torch.arange(LENGTH).div(5, rounding_mode="floor").repeat(2, 1)
    if "global_mask" in names:
        found["global_mask"] = torch.zeros(2, LENGTH, dtype=torch.long)
        found["global_mask"][0, 3] = found["global_mask"][1, 8] = 1
    return found


def padded(padding: str) -> dict[str, Tensor]:
    ids = torch.randint(0, 40, (2, LENGTH), generator=torch.Generator().manual_seed(2))
    if padding == "none":
        return {"input_ids": ids}
    mask = torch.ones_like(ids)
    if padding != "all real":
        mask[1, slice(0, 5) if padding == "left" else slice(LENGTH - 5, LENGTH)] = 0
    return {"input_ids": ids, "attention_mask": mask}


@pytest.mark.sampled(6)
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


@pytest.mark.sampled(4)
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


@pytest.mark.sampled(6)
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


def test_a_compiled_model_is_one_graph_for_all_lengths() -> None:
    _, model, module = built("with causal layers")
    torch._dynamo.reset()
    count = CompileCounter()
    with tiles_of(module, 4), torch.no_grad():
        compiled = torch.compile(model, backend=count, fullgraph=True)
        for tokens in range(2, 22, 2):
            ids = torch.randint(0, 40, (2, tokens))
            assert torch.allclose(compiled(ids), model(ids), rtol=0, atol=EXACT)
    assert count.frame_count <= 3, "compiled once, and at most twice again"


# -- the choice


def graph_of(text: str, *sets: str) -> ModuleGraph:
    return mw.lower(mw.loads(text, sets=sets))


def test_a_kernel_can_be_forced() -> None:
    graph = graph_of(DECODER, "positions=learned", "max_positions=64")
    assert "Tile" not in emit_file(graph).text
    text = emit_file(graph, BuildOptions(kernel="tiles")).text
    assert "DENSE = 1  #" in text
    assert "--kernel tiles" in text
    assert "class Tile(" not in emit_file(graph_of(DECODER), BuildOptions(kernel="dense")).text


@pytest.mark.parametrize(
    ("sets", "reason"),
    [
        (("mask=causal",), "SDPA needs no mask tensor for a causal mask"),
        (("positions=disentangled",), "it is added to a bias of all pairs"),
        (("positions=alibi", "mask=causal"), "half of all scores or more are needed"),
        (
            ("mask=[causal & window(2), causal & strided(2)]", "positions=alibi"),
            "its heads have different masks, which are added to a bias",
        ),
        (
            ("mask=[causal & window(2), causal & strided(2)]", "attention.sinks=true"),
            "its heads have different masks and sinks",
        ),
    ],
)
def test_a_kernel_that_does_not_fit_says_why(sets: tuple[str, ...], reason: str) -> None:
    with pytest.raises(
        BuildError, match=re.escape(f"--kernel tiles does not apply to tiny: {reason}")
    ):
        emit_file(graph_of(DECODER, *sets), BuildOptions(kernel="tiles"))


def test_the_spec_can_ask_for_a_kernel() -> None:
    """`attention.kernel` is what `--kernel` is, which overrides it."""
    texts = {
        kernel: emit_file(graph_of(DECODER, f"attention.kernel={kernel}")).text
        for kernel in ("auto", "dense", "tiles")
    }
    assert "DENSE = 1024  #" in texts["auto"]
    assert "DENSE = 1  #" in texts["tiles"]
    assert "class Tile(" not in texts["dense"]
    asked = graph_of(DECODER, "attention.kernel=dense")
    assert "DENSE = 1  #" in emit_file(asked, BuildOptions(kernel="tiles")).text
    asked = graph_of(DECODER, "attention.kernel=tiles")
    assert "class Tile(" not in emit_file(asked, BuildOptions(kernel="dense")).text
    assert mw.report(asked, sequence=256).computed[0] == pytest.approx(67 / 256, rel=0.02)


@pytest.mark.parametrize("option", ["static_cache", "attention_weights"])
def test_files_without_tiles_refuse_a_spec_that_asks_for_them(option: str) -> None:
    graph = graph_of(DECODER, "attention.kernel=tiles")
    with pytest.raises(BuildError, match="asks for `kernel: tiles`; add --kernel dense"):
        emit_file(graph, BuildOptions(**{option: True}))
    emit_file(graph, BuildOptions(kernel="dense", **{option: True}))


@pytest.mark.parametrize(
    ("sets", "reason"),
    [
        (("mask=causal",), "SDPA needs no mask tensor for a causal mask"),
        (("positions=disentangled",), "it is added to a bias of all pairs"),
        (("positions=alibi", "mask=causal"), "half of all scores or more are needed"),
    ],
)
def test_tiles_that_no_layer_can_have_are_an_error_of_the_spec(
    sets: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(mw.SpecErrors) as caught:
        graph_of(DECODER.replace("heads: 4", "heads: 4, kernel: tiles"), *sets)
    message = "`kernel: tiles` does not apply to any layer of this stack: "
    assert [problem.message for problem in caught.value.problems] == [message + reason]
    assert caught.value.problems[0].mark.text.startswith("attention:")


def test_the_kernel_of_a_stack_is_that_of_its_layers() -> None:
    """Of two stacks, one asks for tiles at any length, the other has them for long sequences."""
    text = DECODER.replace("decoder-only", "encoder-decoder").replace("causal & window(4)", "full")
    text = text.replace("mask: full\n", "") + (
        "encoder: {mask: band(1), attention: {heads: 4, kernel: tiles}}\n"
        "decoder: {mask: causal & window(2)}\n"
    )
    model = mw.compile(mw.loads(text))
    module = sys.modules[type(model).__module__]
    like = torch.zeros(1)
    assert len(module.band_tiles(0, 200, 1, None, like)) == 4
    assert len(module.causal_window_tiles(0, 200, 2, None, like)) == 1


@pytest.mark.parametrize(
    ("mask", "sequence", "share"),
    [
        ("causal & window(65)", 1023, 1.0),
        ("causal & window(65)", 4096, 128 / 4096),
        ("causal", 4096, 0.5),
        ("causal & strided(3)", 4096, (1366 + 64) / 2 / 3 / 1366),
        ("causal & strided(128)", 16384, 0.75 / 128),
        ("causal & window(1024) & strided(8)", 4096, (64 + 128 + 6 * 191) / 8 / 4096),
        ("blocks(64)", 4096, 64 / 4096),
    ],
)
def test_the_share_of_scores_that_are_computed(mask: str, sequence: int, share: float) -> None:
    graph = graph_of(DECODER if "causal" in mask else ENCODER, f"mask={mask}")
    assert mw.report(graph, sequence=sequence).computed[0] == pytest.approx(share, rel=0.02)


TWO = """
name: tiny
vocab_size: 40
d_model: 16
layers: 1
attention: {heads: 4}
stacks:
  a: {positions: alibi, mask: MASK, attention: {kernel: KERNEL}}
  b: {positions: rotary, mask: MASK, input: {type: tokens, argument: other_ids}}
"""


@pytest.mark.parametrize("kernel", ["dense", "tiles"])
@pytest.mark.parametrize("mask", ["strided(3)", "blocks(4)"])
def test_stacks_with_other_kernels_have_functions_of_their_own(mask: str, kernel: str) -> None:
    model = mw.compile(
        mw.loads(TWO.replace("MASK", mask).replace("KERNEL", kernel)), dtype="float64"
    )
    ids = torch.randint(0, 40, (2, 20), generator=torch.Generator().manual_seed(2))
    found = []
    for size in (0, 3):
        with tiles_of(sys.modules[type(model).__module__], size), torch.no_grad():
            found.append(model(input_ids=ids, other_ids=ids))
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=EXACT)


@pytest.mark.sampled(6)
@pytest.mark.parametrize("kernel", ["dense", "tiles", "flex"])
@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.yaml")))
def test_each_kernel_is_used_or_refused_in_words(name: str, kernel: str) -> None:
    """`--kernel` is never ignored."""
    graph = mw.lower(mw.load(EXAMPLES / f"{name}.yaml"))
    text = refusal = ""
    try:
        text = emit_file(graph, BuildOptions(kernel=kernel)).text
    except BuildError as error:
        refusal = str(error)
    if text:
        marks = {"tiles": "class Tile(", "flex": "flex_attention"}
        found = [mark for mark, word in marks.items() if word in text]
        assert found == ([] if kernel == "dense" else [kernel])
    else:
        assert kernel != "dense"
        assert re.match(rf"--kernel {kernel} does not apply to {graph.name}: .{{10}}", refusal)
