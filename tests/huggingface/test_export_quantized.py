"""Quantized weights in exported folders, which `transformers` loads with torchao."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from exported import load
from torch import Tensor, nn

import modelwright as mw
from modelwright.backends.huggingface import CheckpointError, import_folder
from modelwright.backends.pytorch import WeightsError
from modelwright.backends.pytorch.quantized import KINDS, quantize

pytest.importorskip("torchao")

IDS = torch.arange(24).reshape(2, 12)
SETS = ["layers=1", "d_model=64"]


def quantized(name: str, kind: str) -> tuple[mw.ModelSpec, nn.Module, dict[str, Tensor]]:
    """A spec, its quantized model, and the values of the weights."""
    path = Path(mw.__file__).parent / "examples" / f"{name}.yaml"
    spec = mw.load(path, sets=SETS)
    model = mw.compile(spec, seed=0).eval()
    quantize(model, kind)
    values = {
        key: x.dequantize() if hasattr(x, "dequantize") and type(x) is not Tensor else x
        for key, x in model.state_dict().items()
    }
    return spec, model, values


@pytest.mark.parametrize("kind", KINDS)
def test_a_quantized_folder(kind: str, tmp_path: Path, code_cache: None) -> None:
    """The weights are equal, and so is the output, up to the inputs of int8-dynamic."""
    spec, model, values = quantized("tiny_gpt", kind)
    mw.save_weights(model, tmp_path / "small.safetensors")
    mw.export(spec, tmp_path / "small.safetensors", tmp_path / "folder")
    theirs = load(tmp_path / "folder").eval()
    found = theirs.model.state_dict()
    assert found.keys() == values.keys()
    for name, tensor in found.items():
        quantizes = tensor.ndim == 2 and name != "token_embedding.weight"
        assert (type(tensor) is not Tensor) == quantizes
        assert torch.equal(tensor.dequantize() if quantizes else tensor, values[name])
    with torch.no_grad():
        expected, logits = model(IDS), theirs(IDS).logits
        tolerance = 0.05 if kind == "int8-dynamic" else 1e-4
        assert float((logits - expected).abs().max()) < tolerance * float(expected.abs().max())
    made = theirs.generate(IDS, max_new_tokens=2, do_sample=False)
    assert made.shape == (2, 14)
    assert mw.loads(import_folder(tmp_path / "folder")) == spec
    with pytest.raises(CheckpointError, match=r"are quantized \(torchao\); give the float weights"):
        mw.from_pretrained(tmp_path / "folder")


def test_from_a_model_with_routers_and_experts(tmp_path: Path, code_cache: None) -> None:
    spec, model, _ = quantized("tiny_deepseek", "int8")
    mw.export(spec, model, tmp_path / "folder")
    with torch.no_grad():
        found = load(tmp_path / "folder").eval()(IDS).logits
        assert torch.allclose(found, model(IDS), atol=1e-4)


def test_weights_of_another_model(tmp_path: Path) -> None:
    model = quantized("tiny_gpt", "int8")[1]
    mw.save_weights(model, tmp_path / "small.safetensors")
    other = mw.load(Path(mw.__file__).parent / "examples" / "tiny_gpt.yaml", sets=["layers=2"])
    with pytest.raises(WeightsError, match="does not fit the model"):
        mw.export(other, tmp_path / "small.safetensors", tmp_path / "folder")
    assert not (tmp_path / "folder").exists()
