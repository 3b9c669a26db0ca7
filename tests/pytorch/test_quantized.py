"""Quantized models: close to the original, and equal after saving and loading."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from small_examples import NAMES, small_graph, spec
from torch import nn

import modelwright as mw
from modelwright.backends.pytorch import WeightsError
from modelwright.backends.pytorch.quantized import (
    GROUP,
    KINDS,
    QuantizationError,
    check_float8,
    packed,
    quantize,
    unpacked,
)
from modelwright.backends.verify import shrink
from modelwright.backends.verify.arguments import Arguments

pytest.importorskip("torchao")


@pytest.fixture
def model(examples: Path) -> nn.Module:
    return mw.compile(examples / "tiny_gpt.yaml", seed=0).eval()


IDS = torch.arange(40).reshape(2, 20)


@pytest.mark.parametrize("kind", KINDS)
def test_a_quantized_model_is_saved_and_loaded(
    kind: str, model: nn.Module, examples: Path, tmp_path: Path
) -> None:
    expected = model(IDS).detach()
    tolerance = {"float8": 0.1, "int4": 0.3}.get(kind, 0.05)
    mw.save_weights(model, tmp_path / "float.safetensors")
    left = quantize(model, kind)
    tied = {"token_embedding.weight": "an embedding"}
    assert left == ({} if kind.startswith("int8") else tied)
    found = model(IDS).detach()
    assert 0 < float((found - expected).abs().max()) < tolerance * float(expected.abs().max())
    mw.save_weights(model, tmp_path / "small.safetensors")
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("float", "small")]
    assert sizes[1] < (0.23 if kind == "int4" else 0.32) * sizes[0]
    again = mw.compile(examples / "tiny_gpt.yaml", seed=1).eval()
    mw.load_weights(again, tmp_path / "small.safetensors")
    assert torch.equal(again(IDS), found)
    mw.load_weights(again, tmp_path / "small.safetensors")  # also into a quantized model
    assert torch.equal(again(IDS), found)


@pytest.mark.sampled(140)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_quantized_examples_run_in_inference_mode(name: str, kind: str) -> None:
    """As in `generate`: there, torchao's tensors support less than with `no_grad`."""
    graph = small_graph(name)
    model = mw.compile(graph, seed=0).eval()
    drawn = Arguments(shrink(spec(name)), graph).plain().items()
    data = {key: torch.from_numpy(np.ascontiguousarray(value)) for key, value in drawn}
    widths = [m.in_features for m in model.modules() if isinstance(m, nn.Linear)]
    if kind == "int4" and not any(width % GROUP == 0 for width in widths):
        pytest.skip("no width is a multiple of 32")
    quantize(model, kind)
    with torch.inference_mode():
        model(**{key: x.float() if x.is_floating_point() else x for key, x in data.items()})


def test_weights_that_are_cast_or_read_elsewhere_stay() -> None:
    model = mw.compile(small_graph("mixtral_8x7b"))
    reason = "its weights are cast or read elsewhere"
    assert quantize(model, "int8")["layers.0.feed_forward.router.weight"] == reason
    model = mw.compile(small_graph("rnnsearch"))
    left = quantize(model, "int8")
    assert sorted(left[name] for name in left if name.endswith(".state.weight")) == [reason] * 2


def test_int8_is_the_nearest_of_255_multiples_of_a_scale(model: nn.Module) -> None:
    """The scale of a row is its largest weight / 127."""
    before = model.layers[0].attention.query.weight.detach().clone()
    quantize(model, "int8")
    after = model.layers[0].attention.query.weight.dequantize().detach()
    scale = before.abs().amax(1, keepdim=True) / 127.5
    assert float(((after - before).abs() / scale).max()) <= 0.51


def test_int4_is_the_nearest_of_16_multiples_of_a_scale(model: nn.Module) -> None:
    """The scale of 32 weights is the range of these, and zero, / 15."""
    before = model.layers[0].attention.query.weight.detach().clone()
    quantize(model, "int4")
    after = model.layers[0].attention.query.weight.dequantize().detach()
    groups = before.unflatten(1, (-1, GROUP))
    ranges = groups.amax(-1).clamp(min=0) - groups.amin(-1).clamp(max=0)
    error = (after - before).abs().unflatten(1, (-1, GROUP)).amax(-1)
    assert float((error / ranges).max()) <= 0.51 / 15 * 2  # the zero point is rounded, too
    assert float((error / ranges).mean()) <= 0.51 / 15


def test_four_bits_are_packed_without_loss() -> None:
    weights = torch.arange(-8, 8, dtype=torch.int8).repeat(3, 2)
    small = packed({"a.qdata": weights, "b": weights}, "int4")
    assert small["a.qdata"].dtype == torch.uint8
    assert small["a.qdata"].shape == (3, 16)
    assert small["a.qdata"][0, 0] == 0x10  # -8 and -7: 0 in the lower bits, 1 above
    assert torch.equal(unpacked(small, "int4")["a.qdata"], weights)
    assert small["b"] is weights


def test_layers_of_unsupported_widths_are_not_quantized_and_are_listed(examples: Path) -> None:
    """For int4, the input width must be a multiple of 32."""
    sets = ["d_model=64", "feed_forward.d_ff=72", "layers=1"]
    model = mw.compile(mw.load(examples / "tiny_llama.yaml", sets=sets))
    left = quantize(model, "int4")
    assert left.pop("token_embedding.weight") == "an embedding"
    reason = "its input width (72) is not a multiple of 32"
    assert left == {"layers.0.feed_forward.down.weight": reason}
    model = mw.compile(mw.load(examples / "tiny_llama.yaml", sets=["d_model=40", *sets[1:]]))
    with pytest.raises(
        QuantizationError, match=r"no layer of the model can be quantized \(tok.*: "
    ):
        quantize(model, "int4")


EXPERTS = """
name: mixture
family: decoder-only
vocab_size: 64
d_model: 32
layers: 1
positions: rotary
attention: {heads: 4}
feed_forward: {type: moe, experts: 4, top_k: 2, expert: {d_ff: 48}}
head: language_model
"""


def test_experts_are_not_quantized_and_are_listed() -> None:
    model = mw.compile(mw.loads(EXPERTS))
    left = quantize(model, "int8")
    assert left.pop("token_embedding.weight") == "an embedding"
    router = left.pop("layers.0.feed_forward.router.weight")
    assert router == "its weights are cast or read elsewhere"
    assert {*left.values()} == {"not a linear layer"}
    assert [name for name in left if "experts" in name] == [*left]
    assert all(model.get_parameter(name).dtype == torch.float32 for name in left)


def test_a_device_without_float8_is_refused() -> None:
    check_float8(torch.device("cpu"))
    with pytest.raises(QuantizationError, match="mps does not support float8"):
        check_float8(torch.device("mps"))  # PyTorch for Linux has no such device


def test_errors(model: nn.Module, examples: Path, tmp_path: Path) -> None:
    with pytest.raises(QuantizationError, match="unknown kind `int2`; expected one of: int8,"):
        quantize(model, "int2")
    with pytest.raises(QuantizationError, match=r"can be quantized \(weight: an embedding"):
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
