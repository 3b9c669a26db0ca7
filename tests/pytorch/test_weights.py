"""Saving and loading weights: complete or not at all, with all differences named."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from variations import VARIATIONS, graph_of, spec_of

import modelwright as mw
from modelwright.backends.pytorch import WeightsError
from modelwright.outputs import OutputError

State = dict[str, Tensor]


@pytest.fixture
def model() -> nn.Module:
    return mw.compile(spec_of("decoder"), seed=1)


def state(model: nn.Module) -> State:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def unchanged(model: nn.Module, before: State) -> bool:
    return all(tensor.equal(before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize(
    "name", ["decoder", "language_model_tied", "shared_layers", "encoder_decoder", "three_heads"]
)
def test_there_and_back(name: str, tmp_path: Path) -> None:
    model, other = mw.compile(spec_of(name), seed=1), mw.compile(spec_of(name), seed=2)
    path = tmp_path / "weights.safetensors"
    mw.save_weights(model, path)
    assert set(load_file(path)) == {weight.name for weight in graph_of(name).weights()}
    assert mw.load_weights(other, path) is other
    assert unchanged(other, state(model))
    assert [p.name for p in tmp_path.iterdir()] == ["weights.safetensors"]


def test_a_file_written_over(model: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_text("an older file")
    mw.save_weights(model, path)
    mw.load_weights(model, str(path))


def test_a_failed_write_leaves_the_old_file(
    model: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(state: State, path: Path, metadata: dict[str, str] | None) -> None:
        Path(path).write_text("half")
        raise SafetensorError("Error while serializing: I/O error: disk full (os error 28)")

    path = tmp_path / "weights.safetensors"
    path.write_text("an older file")
    monkeypatch.setattr("safetensors.torch.save_file", fail)
    with pytest.raises(OutputError, match=r"weights\.safetensors cannot be written: disk full$"):
        mw.save_weights(model, path)
    assert path.read_text() == "an older file"
    assert [p.name for p in tmp_path.iterdir()] == ["weights.safetensors"]


def rename(found: State) -> None:
    found["layers.0.attention.q.weight"] = found.pop("layers.0.attention.query.weight")


def reshape(found: State) -> None:
    found["head.weight"] = found["head.weight"][:, :8].contiguous()
    found["layers.1.feed_forward.up.bias"] = torch.zeros(3)


def drop(found: State) -> None:
    del found["norm.bias"], found["token_embedding.weight"]


def extra(found: State) -> None:
    found["head.bias"] = torch.zeros(31)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            rename,
            "missing: layers.0.attention.query.weight (16, 16)\n"
            "  unexpected: layers.0.attention.q.weight (16, 16)",
        ),
        (
            reshape,
            "shape of head.weight: (31, 8) in the file, (31, 16) in the model\n"
            "  shape of layers.1.feed_forward.up.bias: (3,) in the file, (64,) in the model",
        ),
        (drop, "missing: norm.bias (16,)\n  missing: token_embedding.weight (31, 16)"),
        (extra, "unexpected: head.bias (31,)"),
    ],
)
def test_every_difference_is_named_and_nothing_changes(
    model: nn.Module, tmp_path: Path, spoil: Callable[[State], None], message: str
) -> None:
    path, found = tmp_path / "other.safetensors", {k: v + 1 for k, v in state(model).items()}
    spoil(found)
    save_file(found, path)
    before = state(model)
    with pytest.raises(WeightsError) as caught:
        mw.load_weights(model, path)
    assert str(caught.value) == f"other.safetensors does not match the model:\n  {message}"
    assert unchanged(model, before)


@pytest.mark.parametrize("size", [0, 4, 100, 0.5, 0.99])
def test_a_truncated_file(model: nn.Module, tmp_path: Path, size: float) -> None:
    path = tmp_path / "cut.safetensors"
    mw.save_weights(model, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(size if size >= 1 or size == 0 else size * len(whole))])
    before = state(model)
    with pytest.raises(WeightsError, match=r"cut\.safetensors: not a valid safetensors file"):
        mw.load_weights(model, path)
    assert unchanged(model, before)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04", "not a valid PyTorch checkpoint"),
        (b"\x80\x04\x95", "not a valid PyTorch checkpoint"),
        (b"{}", "not a valid safetensors file: "),
        (b"\xff" * 64, "not a valid safetensors file: "),
        (b"GGUF\x03", "this is a GGUF file; use the original safetensors file"),
        (b"\x89HDF\r\n", "this is an HDF5 file "),
        (b"\x93NUMPY", "this is a NumPy file"),
        (b"version https://git-lfs.github.com/spec/v1", "this is a Git LFS pointer"),
    ],
)
def test_a_file_of_another_kind(
    model: nn.Module, tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "model.weights"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=re.escape(f"model.weights: {message}")):
        mw.load_weights(model, path)


UNREAD: dict[str, tuple[Callable[[State], object], str]] = {
    "sparse": (lambda state: {k: v.to_sparse() for k, v in state.items()}, "layout sparse_coo"),
    "names": (lambda state: dict(enumerate(state.values())), "must be strings, not 0"),
    "a trainer's": (lambda state: {"model": state, "step": 3}, "entries that are not tensors"),
    "a list": (lambda state: [*state.values()], "must contain a state dict, not a list"),
}


@pytest.mark.parametrize("name", UNREAD)
def test_a_state_dict_of_another_kind(model: nn.Module, tmp_path: Path, name: str) -> None:
    change, message = UNREAD[name]
    torch.save(change(state(model)), tmp_path / "model.pt")
    with pytest.raises(WeightsError, match=message):
        mw.load_weights(model, tmp_path / "model.pt")


WRAPPERS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "compile": lambda model: torch.compile(model),  # type: ignore[dict-item]
    "DataParallel": nn.DataParallel,
    "both": lambda model: nn.DataParallel(torch.compile(model)),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", [*WRAPPERS, "layers"])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_weights_are_loaded_into_wrapped_models(
    model: nn.Module, tmp_path: Path, name: str, device: str
) -> None:
    """`save_weights` unwraps a model; `load_weights` refused one."""
    path = tmp_path / "weights.safetensors"
    mw.save_weights(model, path)
    other: Any = mw.compile(spec_of("decoder"), device=device)
    if name == "layers":
        for number, layer in enumerate(other.layers):
            other.layers[number] = torch.compile(layer)
    wrapped = other if name == "layers" else WRAPPERS[name](other)
    assert mw.load_weights(wrapped, path) is wrapped
    mw.save_weights(wrapped, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_no_file(model: nn.Module, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        mw.load_weights(model, tmp_path / "nowhere.safetensors")


def test_weights_take_the_dtype_of_the_model(model: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    mw.save_weights(model, path)
    double = mw.compile(spec_of("decoder"), dtype="float64", seed=2)
    mw.load_weights(double, path)
    assert {weight.dtype for weight in double.parameters()} == {torch.float64}
    assert unchanged(double, {k: v.double() for k, v in state(model).items()})


def test_weights_of_other_options_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    mw.save_weights(mw.compile(spec_of("decoder")), path)
    for name in ("norm_rmsnorm", "attention_unbiased", "feed_forward_glu", "one_layer"):
        assert name in VARIATIONS
        with pytest.raises(WeightsError):
            mw.load_weights(mw.compile(spec_of(name)), path)
