"""Quantized models: close to the original, and equal after saving and loading."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import modelwright as mw
from modelwright.backends.pytorch import WeightsError
from modelwright.backends.pytorch.quantized import KINDS, QuantizationError, quantize

pytest.importorskip("torchao")


@pytest.fixture
def model(examples: Path) -> nn.Module:
    return mw.compile(examples / "tiny_gpt.yaml", seed=0).eval()


IDS = torch.arange(40).reshape(2, 20)


@pytest.mark.parametrize("kind", KINDS)
def test_a_quantized_model_is_saved_and_loaded(
    kind: str, model: nn.Module, examples: Path, tmp_path: Path
) -> None:
    expected, tolerance = model(IDS).detach(), 0.1 if kind == "float8" else 0.05
    mw.save_weights(model, tmp_path / "float.safetensors")
    left = quantize(model, kind)
    assert left == ["token_embedding.weight"]  # the head is tied to it
    found = model(IDS).detach()
    assert 0 < float((found - expected).abs().max()) < tolerance * float(expected.abs().max())
    mw.save_weights(model, tmp_path / "small.safetensors")
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("float", "small")]
    assert sizes[1] < 0.32 * sizes[0]
    again = mw.compile(examples / "tiny_gpt.yaml", seed=1).eval()
    mw.load_weights(again, tmp_path / "small.safetensors")
    assert torch.equal(again(IDS), found)
    mw.load_weights(again, tmp_path / "small.safetensors")  # also into a quantized model
    assert torch.equal(again(IDS), found)


def test_int8_is_the_nearest_of_255_multiples_of_a_scale(model: nn.Module) -> None:
    """The scale of a row is its largest weight / 127."""
    before = model.layers[0].attention.query.weight.detach().clone()
    quantize(model, "int8")
    after = model.layers[0].attention.query.weight.dequantize().detach()
    scale = before.abs().amax(1, keepdim=True) / 127.5
    assert float(((after - before).abs() / scale).max()) <= 0.51


def test_errors(model: nn.Module, examples: Path, tmp_path: Path) -> None:
    with pytest.raises(QuantizationError, match="unknown kind `int2`; expected one of: int8,"):
        quantize(model, "int2")
    with pytest.raises(QuantizationError, match="the model has no linear layers"):
        quantize(nn.Embedding(3, 4), "int8")
    quantize(model, "int8")
    with pytest.raises(QuantizationError, match=r"is quantized already \(int8\)"):
        quantize(model, "float8")
    mw.save_weights(model, tmp_path / "w.safetensors")
    other = mw.compile(mw.load(examples / "tiny_gpt.yaml", sets=["layers=2"]))
    with pytest.raises(WeightsError, match=r"does not fit the model: layers\.2\..* is not in the"):
        mw.load_weights(other, tmp_path / "w.safetensors")
    del model.quantization
    with pytest.raises(WeightsError, match="was not quantized by `quantize`"):
        mw.save_weights(model, tmp_path / "w.safetensors")


def test_without_torchao(model: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchao", None)
    with pytest.raises(QuantizationError, match=r"install modelwright\[quantize\]"):
        quantize(model, "int8")
