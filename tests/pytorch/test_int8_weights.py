"""Products of int8 weights: against float64, and against torchao where it computes them."""

from __future__ import annotations

import copy
import io
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from small_examples import small_graph
from torch import Tensor, nn

import modelwright as mw
from modelwright.backends import pytorch as mw_pytorch
from modelwright.backends.pytorch.quantized import quantize, slow_because

pytest.importorskip("torchao")

from modelwright.backends.pytorch import int8_weights
from modelwright.backends.pytorch.int8_weights import BLOCK, ONE, THREE, Int8Weight

KINDS = {"int8": THREE, "int8-dynamic": ONE}
HALF = 2.0**-24
"""Rounding error of float32."""
IDS = torch.arange(40).reshape(2, 20)

here = pytest.mark.skipif(bool(int8_weights.missing()), reason="products are torchao's")


def layer(kind: str, width: int = 96, outputs: int = 50, *, bias: bool = True) -> nn.Linear:
    model = nn.Sequential(nn.Linear(width, outputs, bias=bias))
    quantize(model, kind)
    return model[0]


def stored(weight: Tensor) -> Tensor:
    """The weights that are stored, in float64."""
    assert isinstance(weight, Int8Weight)
    found: Tensor = weight.qdata.double() * weight.scale.double()
    return found


def bounds(x: Tensor, weight: Tensor, y: Tensor, unit: float) -> Tensor:
    """Of the errors of a product.

    An input is wrong by `unit` x the largest of its token. The results of up to three rows, their
    sums and their scales are rounded; they are at most 4 x the largest input and weights.
    """
    sizes = x.abs().amax(-1, keepdim=True).double() * weight.abs().sum(1)
    return (unit + 4 * 8 * HALF) * sizes + HALF * y.abs()


@here
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [1, 3, BLOCK + 1])
@pytest.mark.parametrize("kind", KINDS)
def test_products(kind: str, rows: int, bias: bool) -> None:
    """The inputs of int8-dynamic are wrong by half of 1/127, those of int8 by one of 2^22 steps."""
    torch.manual_seed(0)
    module, x = (
        layer(kind, bias=bias),
        torch.randn(rows, 96) * torch.logspace(-20, 20, rows)[:, None],
    )
    weight = stored(module.weight)
    expected = F.linear(x.double(), weight, module.bias.double() if bias else None)
    with torch.inference_mode():
        found = module(x)
    unit = 0.5001 / 127 if kind == "int8-dynamic" else 1 / THREE.largest
    assert bool(((found - expected).abs() <= bounds(x, weight, expected, unit)).all())


@here
@pytest.mark.parametrize("outputs", [64, 200])
@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_inputs_that_are_integers_have_no_error(kind: str, rows: int, outputs: int) -> None:
    """A row of -127 … 127 that contains 127, times a scale. A single row of int8-dynamic has one
    kernel for fewer outputs than inputs, and another one for more.
    """
    torch.manual_seed(0)
    module = layer(kind, outputs=outputs)
    x = torch.randint(-127, 128, (rows, 96)).float()
    x[:, 5] = -127
    x = x * torch.tensor([0.25, 3.0])[:rows, None]
    weight = stored(module.weight)
    expected = F.linear(x.double(), weight, module.bias.double())
    with torch.no_grad():
        found = module(x)
    unit = 0 if kind == "int8-dynamic" else 1 / THREE.largest
    assert bool(((found - expected).abs() <= bounds(x, weight, expected, unit)).all())


@here
@pytest.mark.parametrize("kind", KINDS)
def test_zeros_and_numbers_that_are_not_finite(kind: str) -> None:
    module = layer(kind)
    x = torch.zeros(4, 96)
    x[1, 2], x[2, 3] = torch.inf, torch.nan
    for rows in (x, x[:1], x[1:2]):
        with torch.inference_mode():
            y = module(rows)
        for one, found in zip(rows, y, strict=True):
            if bool((one == 0).all()):
                assert torch.equal(found, module.bias)
            else:
                assert not bool(found.isfinite().any())
    assert module(x[:0]).shape == (0, 50)


@pytest.mark.parametrize("kind", KINDS)
def test_torchao_computes_what_is_not_computed_here(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, x = layer(kind), torch.randn(3, 96)
    expected = int8_weights._LINEAR(F.linear, (), (x, module.weight, module.bias), {})
    grown = x.clone().requires_grad_()
    assert torch.equal(module(grown), expected)
    if kind == "int8":
        module(grown).sum().backward()
        assert torch.allclose(grown.grad, stored(module.weight).sum(0).float(), atol=1e-5)
    if not int8_weights.missing():
        assert not torch.equal(module(x), expected)
    monkeypatch.setattr(int8_weights, "missing", lambda: "no reason")
    assert torch.equal(module(x), expected)


def test_the_reason_for_slow_products(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Sequential(nn.Linear(32, 32))
    assert slow_because(model) == ""
    quantize(model, "int8")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_vnni": False})
    int8_weights.missing.cache_clear()
    assert slow_because(model) == "the CPU has no VNNI instructions"
    monkeypatch.undo()
    monkeypatch.setattr(int8_weights.Packed, "of_row", lambda *_: torch.zeros(8))
    if torch.cpu.get_capabilities().get("avx512_vnni"):
        int8_weights.missing.cache_clear()
        assert slow_because(model) == "products of uint8 with int8 are not exact"
    monkeypatch.undo()
    int8_weights.missing.cache_clear()


def test_tied_heads_and_their_embeddings() -> None:
    """GPT-2's head is tied, RNNsearch's are not."""
    model = mw.compile(small_graph("gpt2"), seed=0).eval()
    table = model.token_embedding.weight.detach().clone()
    assert "token_embedding.weight" not in quantize(model, "int8")
    found = stored(model.token_embedding.weight)
    assert float((found - table).abs().max()) < float(table.abs().max()) / 200
    with torch.inference_mode():
        rows = model.token_embedding(torch.tensor([[3, 5], [5, 0]]))
    assert torch.equal(rows, found.float()[torch.tensor([[3, 5], [5, 0]])])
    model = mw.compile(small_graph("rnnsearch"))
    left = quantize(model, "int8")
    assert list(left.values()).count("an embedding") == 2


@pytest.mark.parametrize("kind", KINDS)
def test_copies_and_changes_of_a_model_that_has_run(kind: str, tmp_path: Path) -> None:
    models = [mw.compile(small_graph("gpt2"), seed=seed).eval() for seed in (0, 1)]
    with torch.inference_mode():
        for number, model in enumerate(models):
            quantize(model, kind)
            mw.save_weights(model, tmp_path / f"{number}.safetensors")
        first, second = (model(IDS % 16) for model in models)
        assert torch.equal(copy.deepcopy(models[0])(IDS % 16), first)
        mw.load_weights(models[0], tmp_path / "1.safetensors")
        assert torch.equal(models[0](IDS % 16), second)
    file = io.BytesIO()
    torch.save(models[1].state_dict(), file)
    file.seek(0)
    state = torch.load(file)
    assert not any("_packed" in vars(tensor) for tensor in state.values())
    other = mw.compile(small_graph("gpt2"), seed=2).eval()
    quantize(other, kind)
    other.load_state_dict(state, assign=True)
    with torch.inference_mode():
        assert torch.equal(other(IDS % 16), second)


def test_joined_projections_are_saved_and_loaded(examples: Path, tmp_path: Path) -> None:
    """Under the names of separate ones; torchao's other tensors cannot be split."""
    path = tmp_path / "w.safetensors"
    joined, other = (
        mw.compile(examples / "tiny_gpt.yaml", seed=seed, join_projections=True).eval()
        for seed in (0, 1)
    )
    quantize(joined, "int8")
    mw.save_weights(joined, path)
    separate = mw.load_weights(mw.compile(examples / "tiny_gpt.yaml", seed=1), path).eval()
    mw.load_weights(other, path)
    with torch.inference_mode():
        found = [model(IDS) for model in (joined, other, separate)]
    assert torch.equal(found[0], found[1])
    assert torch.allclose(found[0], found[2], atol=1e-5)
    model = mw.compile(examples / "tiny_gpt.yaml", join_projections=True)
    quantize(model, "float8")
    with pytest.raises(mw_pytorch.WeightsError, match="joined projections in float8 cannot"):
        mw.save_weights(model, path)


@pytest.mark.slow
def test_compiled() -> None:
    model = mw.compile(small_graph("gpt2"), seed=0).eval()
    quantize(model, "int8")
    with torch.no_grad():
        found = torch.compile(model, backend="aot_eager")(IDS % 16)
        assert torch.allclose(found, model(IDS % 16), atol=1e-4)
