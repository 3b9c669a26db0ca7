"""What emitted models refuse where it enters them: arguments and caches of another shape or dtype.

Such arguments would be broadcast to a wrong result. Nothing is read but shapes and dtypes, so files
are compiled as one graph and exported for any batch and length.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from torch import Tensor

import modelwright as mw

SPEC = """
name: small
family: decoder-only
vocab_size: 40
max_positions: 64
d_model: 16
layers: 2
positions: {positions}
attention: {{heads: 2}}
mask: {mask}
head: language_model
"""
LINEAR = ("attention={type: linear, heads: 2, head_dim: 8}",)
PAIR = """
name: pair
family: encoder-decoder
vocab_size: 40
d_model: 16
layers: 1
attention: {heads: 2}
positions: rotary
head: language_model
"""
KINDS = """
name: kinds
family: encoder-only
vocab_size: 40
d_model: 16
layers: 1
input: {add: {token_type_ids: 2}}
attention: {heads: 2}
positions: learned
max_positions: 64
"""
IDS = torch.randint(1, 40, (2, 8), generator=torch.Generator().manual_seed(0))
REAL = torch.ones(2, 8, dtype=torch.long)
PLACES = torch.arange(8)


def small(mask: str = "causal", positions: str = "learned", sets: tuple[str, ...] = ()) -> Any:
    torch.manual_seed(0)
    text = SPEC.format(mask=mask, positions=positions)
    return mw.compile(mw.loads(text, sets=list(sets))).eval()


def cache_of(model: Any, length: int = 20) -> Any:
    return sys.modules[type(model).__module__].Cache(length)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"attention_mask": REAL[:1]}, r"attention_mask must be .* \(2, 8\), not torch.int64 \(1"),
        ({"attention_mask": REAL[:, :1]}, r"attention_mask .* not torch.int64 \(2, 1\)"),
        ({"attention_mask": REAL[:, :5]}, r"attention_mask .* not torch.int64 \(2, 5\)"),
        ({"attention_mask": REAL[0]}, r"attention_mask .* not torch.int64 \(8,\)"),
        ({"attention_mask": REAL[:, None, None]}, r"attention_mask .* \(2, 1, 1, 8\)"),
        ({"attention_mask": (1 - REAL.float()) * -1e9}, "attention_mask .* not torch.float32"),
        ({"attention_mask": REAL.half()}, "attention_mask .* not torch.float16"),
        ({"position_ids": PLACES[:5]}, r"position_ids .* not torch.int64 \(5,\)"),
        ({"position_ids": PLACES[:1]}, r"position_ids .* not torch.int64 \(1,\)"),
        ({"position_ids": PLACES.expand(3, -1)}, r"position_ids .* not torch.int64 \(3, 8\)"),
        ({"position_ids": PLACES.float()}, "position_ids .* not torch.float32"),
        ({"input_ids": IDS[0]}, r"input_ids must be"),
        ({"input_ids": IDS[..., None]}, r"input_ids must be"),
        ({"input_ids": IDS.float()}, "input_ids .* not torch.float32"),
    ],
)
def test_arguments_of_another_shape(given: dict[str, Tensor], message: str) -> None:
    for positions in ("learned", "rotary"):
        with pytest.raises(ValueError, match=message):
            small(positions=positions)(**{"input_ids": IDS, **given})


@pytest.mark.sampled(2)
@pytest.mark.parametrize("kind", [torch.bool, torch.uint8, torch.int32, torch.int64])
@pytest.mark.parametrize("places", [PLACES, PLACES[None], PLACES.expand(2, -1), None])
def test_arguments_that_fit(kind: torch.dtype, places: Tensor | None) -> None:
    model = small()
    assert torch.equal(model(IDS, REAL.to(kind), places), model(IDS, REAL))


@pytest.mark.parametrize(
    ("mask", "given"),
    [
        ("documents", {"document_ids": REAL[:, :1]}),
        ("documents", {"document_ids": REAL[:1]}),
        ("causal | prefix", {"prefix_length": torch.tensor([3])}),
        ("causal | prefix", {"prefix_length": torch.tensor([[3], [4]])}),
        ("window(3) | global(given)", {"global_mask": REAL[:1]}),
        ("window(3) | global(given)", {"global_mask": REAL.float()}),
    ],
)
def test_wrong_arguments_of_masks_are_refused(mask: str, given: dict[str, Tensor]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(given))} must be"):
        small(mask, "rotary")(IDS, **given)


def test_arguments_of_other_stacks() -> None:
    model = mw.compile(mw.loads(PAIR)).eval()
    answer = IDS[:, :5]
    model(IDS, answer, REAL, REAL[:, :5])
    with pytest.raises(ValueError, match=r"decoder_attention_mask must be .* \(2, 5\)"):
        model(IDS, answer, REAL, REAL)
    with pytest.raises(ValueError, match=r"attention_mask must be .* \(2, 8\)"):
        model(IDS, answer, REAL[:, :5])
    memory = model.encoder(IDS)
    with pytest.raises(ValueError, match=r"attention_mask must be .* \(2, 8\)"):
        model.decoder(answer, memory, REAL[:, :1])
    kinds = mw.compile(mw.loads(KINDS)).eval()
    with pytest.raises(ValueError, match=r"token_type_ids must be .* \(2, 8\)"):
        kinds(IDS, token_type_ids=REAL[:1])


def test_ids_of_a_table_that_stacks_share() -> None:
    """The model embeds them; a stack refuses vectors of another number of axes."""
    model = mw.compile(mw.loads(PAIR, sets=["decoder.input.tied=encoder"])).eval()
    x = model.token_embedding(IDS)
    for ids in (IDS[0], IDS[..., None]):
        for given in ((ids, IDS), (IDS, ids)):
            with pytest.raises(ValueError, match="values to unpack"):
                model(*given)
        with pytest.raises(ValueError, match="values to unpack"):
            model.encoder(model.token_embedding(ids))
    with pytest.raises(ValueError, match=r"attention_mask must be .* \(2, 8\)"):
        model.encoder(x, REAL[:, :5])
    with pytest.raises(ValueError, match=r"attention_mask must be .* \(2, 8\)"):
        model.decoder(x, x, REAL[:, :5])
    with pytest.raises(RuntimeError, match="Expected tensor for argument #1 'indices'"):
        model(IDS.float(), IDS)


@pytest.mark.parametrize("sets", [(), LINEAR], ids=["keys", "sums"])
def test_steps_with_a_cache_of_another_batch(sets: tuple[str, ...]) -> None:
    model, cache = small(sets=sets), None
    with torch.no_grad():
        cache = cache_of(model)
        model(IDS[:, :7], REAL[:, :7], cache=cache)
        for mask in (REAL[:, 7:], REAL[:, :7]):  # of the new token; of those before
            with pytest.raises(ValueError, match=r"attention_mask must be .* \(2, 8\)"):
                model(IDS[:, 7:], mask, cache=cache)
        with pytest.raises(ValueError, match=r"batch 1.*; the cache has 2"):
            model(IDS[:1, 7:], cache=cache)
        whole = model(IDS, REAL)
        step = model(IDS[:, 7:], REAL, cache=cache)  # what was refused has left nothing behind
        assert torch.allclose(step, whole[:, 7:], atol=1e-5)


@pytest.mark.parametrize("static", [False, True])
def test_a_cache_of_another_dtype(static: bool) -> None:
    model: Any = mw.compile(mw.loads(SPEC.format(mask="causal", positions="rotary")))
    if static:
        model = mw.compile(
            mw.loads(SPEC.format(mask="causal", positions="rotary")), static_cache=True
        )
    cache = cache_of(model.eval())
    with torch.no_grad():
        model(IDS[:, :7], cache=cache)
        with pytest.raises(ValueError, match=r"torch\.bfloat16; the cache has 2, torch\.float32"):
            model.bfloat16()(IDS[:, 7:], cache=cache)


@pytest.mark.parametrize(
    ("mask", "rows"),
    [("causal", "plain"), ("causal & blocks(4)", "masked"), ("causal & window(3)", "placed")],
)
def test_export_at_any_batch_and_length(mask: str, rows: str) -> None:
    model = small(mask, "rotary")
    any_size = torch.export.Dim.AUTO
    given: tuple[Tensor, ...] = (IDS,)
    if rows != "plain":
        given += (REAL, PLACES.expand(2, -1).contiguous())[: 1 + (rows == "placed")]
    free = tuple({0: any_size, 1: any_size} for _ in given)
    exported = torch.export.export(model, given, dynamic_shapes=free).module()
    for batch, length in ((2, 8), (3, 5), (1, 33), (4, 64)):
        ids = torch.randint(1, 40, (batch, length))
        mask_of = torch.ones_like(ids)
        mask_of[0, : length // 3] = 0
        others = (mask_of, (mask_of.cumsum(-1) - 1).clamp(min=0))[: len(given) - 1]
        assert torch.allclose(exported(ids, *others), model(ids, *others), atol=1e-5)


@pytest.mark.parametrize("decay", ["none", "lightning"])
def test_linear_attention_exports_at_any_length(decay: str) -> None:
    """No number of chunks is a case of its own, from one token to several chunks of 96."""
    kind = f"attention={{type: linear, heads: 2, head_dim: 8, decay: {decay}}}"
    model = small(positions="none", sets=(kind, "max_positions=512"))
    any_size = torch.export.Dim.AUTO
    free = ({0: any_size, 1: any_size},)
    exported = torch.export.export(model, (IDS,), dynamic_shapes=free).module()
    for length in (1, 5, 95, 96, 97, 192, 300):
        text = torch.randint(1, 40, (1, length))
        assert torch.allclose(exported(text), model(text), atol=1e-5)


@pytest.mark.parametrize("decay", ["none", "lightning"])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float64])
def test_the_cache_of_linear_attention_keeps_sums_alone(decay: str, kind: torch.dtype) -> None:
    """One (E, E + 1) sum for each head, in float32 or wider, and no view of all chunks."""
    text = f"attention={{type: linear, heads: 2, head_dim: 8, decay: {decay}}}"
    model = small(sets=(text, "max_positions=512")).to(kind)
    cache = cache_of(model, 512)
    with torch.no_grad():
        model(torch.zeros(1, 300, dtype=torch.long), cache=cache)
    kept = list(cache.states.values())
    assert {x.dtype for x in kept} == {torch.promote_types(kind, torch.float32)}
    for state in kept:
        assert state.untyped_storage().nbytes() == state.numel() * state.element_size()


def test_compile_in_one_graph() -> None:
    """With masks and positions given, and a cache, nothing waits for the device."""
    model = small("causal & blocks(4)", "rotary")
    step = torch.compile(model, fullgraph=True, backend="eager", dynamic=True)
    places = PLACES.expand(2, -1)
    assert torch.allclose(step(IDS, REAL, places), model(IDS, REAL, places), atol=1e-6)
    cache = cache_of(model)
    with torch.no_grad():
        step(IDS[:, :7], REAL[:, :7], places[:, :7], cache)
        found = step(IDS[:, 7:], REAL, places[:, 7:], cache)
    assert torch.allclose(found, model(IDS, REAL, places)[:, 7:], atol=1e-5)


POOLS = """
name: pools
family: encoder-only
vocab_size: 40
d_model: 16
layers: 1
attention: {heads: 2}
positions: rotary
heads:
  a: {type: classifier, classes: 3, pool: max}
  b: {type: projection, size: 5, pool: attention}
  c: {type: projection, size: 5, pool: last}
  d: {type: projection, size: 5, pool: mean}
"""


def test_a_row_of_padding_has_finite_pools_and_gradients() -> None:
    """Pools over no token are zeros; other rows are as without it."""
    model = mw.compile(mw.loads(POOLS), seed=0)
    mask = REAL.clone()
    mask[1] = 0
    found = model(IDS, mask)
    alone = model(IDS[:1])
    for name, value in found.items():
        assert value.isfinite().all(), name
        assert torch.allclose(value[:1], alone[name], atol=1e-5), name
    sum(value.square().sum() for value in found.values()).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
