"""Weights in several files, in pickles, and in files with the wrong suffix."""

from __future__ import annotations

import json
import linecache
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel

import modelwright as mw
from modelwright.backends.checkpoint_files import PICKLE, Weights, find_weights
from modelwright.backends.huggingface import CheckpointError, from_pretrained, import_folder
from modelwright.cli import cli

Checkpoint = Callable[..., tuple[Path, Any]]
INDEX = "model.safetensors.index.json"


@pytest.fixture
def shards(checkpoint: Checkpoint) -> tuple[Path, Any]:
    """A checkpoint in several files, and its model."""
    folder, model = checkpoint("BertModel")
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="20KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 2
    assert not (folder / "model.safetensors").exists()
    return folder, model


def equal(folder: Path, theirs: Any) -> bool:
    ids = torch.arange(20)[None]
    with torch.no_grad():
        difference = from_pretrained(folder)(ids) - theirs(ids).pooler_output
    return bool(difference.abs().max() < 1e-6)


def problems_of(folder: Path) -> list[str]:
    with pytest.raises(CheckpointError) as caught:
        from_pretrained(folder)
    return list(caught.value.problems)


def change_index(folder: Path, **files: Any) -> None:
    path = folder / INDEX
    index = json.loads(path.read_text())
    index["weight_map"].update(files)
    path.write_text(json.dumps(index))


def test_several_files(shards: tuple[Path, Any]) -> None:
    assert equal(*shards)
    assert "head: {type: projection" in import_folder(shards[0])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_what_is_turned_or_cast_is_read_past_the_mapping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str
) -> None:
    """Else it is in memory twice: as the model's own, and as pages of the file."""
    config = GPT2Config(vocab_size=40, n_positions=20, n_embd=32, n_layer=2, n_head=4)
    GPT2LMHeadModel(config).save_pretrained(tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    read, plain = [], Weights.unmapped

    def unmapped(self: Weights, name: str, mapped: torch.Tensor) -> torch.Tensor:
        read.append(name)
        tensor = plain(self, name, mapped)
        assert torch.equal(tensor, stored[name])
        assert tensor.data_ptr() != mapped.data_ptr()
        return tensor

    monkeypatch.setattr(Weights, "unmapped", unmapped)
    from_pretrained(tmp_path, dtype=dtype)
    linear = (".c_attn.weight", ".c_proj.weight", ".c_fc.weight")
    turned = {name for name in stored if name.endswith(linear)}
    assert set(read) == (turned if dtype == "float32" else set(stored))


def test_tensors_of_any_dtype_and_size_are_read_past_the_mapping(tmp_path: Path) -> None:
    kinds = (torch.float64, torch.float32, torch.bfloat16, torch.int64, torch.bool)
    tensors = {str(kind): torch.tensor([[1, 0, 3]]).to(kind) for kind in kinds}
    tensors |= {"one": torch.tensor(2.5), "none": torch.empty(0, 4)}
    save_file(tensors, tmp_path / "model.safetensors")
    weights = find_weights(tmp_path)
    assert weights is not None
    with weights.opened() as read:
        for name, tensor in tensors.items():
            assert torch.equal(weights.unmapped(name, read(name)), tensor)


def test_a_file_of_several_is_missing(shards: tuple[Path, Any]) -> None:
    folder, _ = shards
    gone = sorted(folder.glob("model-*.safetensors"))[0]
    gone.unlink()
    assert problems_of(folder) == [f"{gone.name} is missing"]


@pytest.mark.parametrize("name", ["../other.safetensors", "/etc/passwd", "..", "a/b"])
def test_an_index_stays_in_its_folder(shards: tuple[Path, Any], name: str) -> None:
    folder, _ = shards
    change_index(folder, **{"pooler.dense.bias": name})
    assert problems_of(folder) == [f"`{name}` is not the name of a file in the same folder"]


def test_an_index_that_is_wrong(shards: tuple[Path, Any]) -> None:
    folder, _ = shards
    files = sorted(path.name for path in folder.glob("model-*.safetensors"))
    there = json.loads((folder / INDEX).read_text())["weight_map"]["pooler.dense.bias"]
    wrong = next(name for name in files if name != there)
    change_index(folder, **{"pooler.dense.bias": wrong, "no.such": there})
    assert problems_of(folder) == [
        f"pooler.dense.bias is in {there}, but the index names {wrong}",
        f"no.such is not in {there}, which the index names",
    ]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weight_map": {}}', '{"weight_map": 3}'])
def test_a_file_that_is_not_an_index(shards: tuple[Path, Any], text: str) -> None:
    folder, _ = shards
    (folder / INDEX).write_text(text)
    (problem,) = problems_of(folder)
    assert "not a valid index of weights" in problem or "must be a mapping from tensors" in problem


def test_a_tensor_in_two_files(shards: tuple[Path, Any]) -> None:
    folder, _ = shards
    first, second = sorted(folder.glob("model-*.safetensors"))[:2]
    name, tensor = next(iter(load_file(first).items()))
    save_file({**load_file(second), name: tensor.clone()}, second)
    assert problems_of(folder) == [f"{name} is also in {first.name}"]


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_of_tensors(checkpoint: Checkpoint, zipped: bool) -> None:
    folder, model = checkpoint("BertModel")
    (folder / "model.safetensors").unlink()
    file = folder / "pytorch_model.bin"
    torch.save(model.state_dict(), file, _use_new_zipfile_serialization=zipped)
    assert equal(folder, model)


@pytest.mark.parametrize("wrapper", ["module.", "_orig_mod.", "module._orig_mod."])
@pytest.mark.parametrize("name", ["BertModel", "BertForMaskedLM"])
def test_names_of_a_wrapped_model(checkpoint: Checkpoint, wrapper: str, name: str) -> None:
    """As data parallelism and torch.compile write them, in safetensors and in a pickle."""
    folder, model = checkpoint(name)
    plain = from_pretrained(folder).state_dict()
    wrapped = {wrapper + key: value.clone() for key, value in model.state_dict().items()}
    save_file(wrapped, folder / "model.safetensors")
    assert_equal(from_pretrained(folder).state_dict(), plain)
    head = f"{wrapper}cls.predictions.decoder.weight"
    if head in wrapped:  # an output table of its own is found under its name here
        assert "tied: true" in import_folder(folder)
        save_file({**wrapped, head: wrapped[head] + 1}, folder / "model.safetensors")
        assert "tied: true" not in import_folder(folder)
    (folder / "model.safetensors").unlink()
    torch.save({wrapper + key: v for key, v in model.state_dict().items()}, folder / PICKLE)
    assert_equal(from_pretrained(folder).state_dict(), plain)


def assert_equal(made: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> None:
    assert made.keys() == wanted.keys()
    assert all(torch.equal(made[key], wanted[key]) for key in wanted)


class Evil:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("echo run > evil.txt",)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_with_code_in_it(
    checkpoint: Checkpoint, zipped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = checkpoint("BertModel")
    monkeypatch.chdir(folder)
    (folder / "model.safetensors").unlink()
    file = folder / "pytorch_model.bin"
    torch.save({"a": Evil()}, file, _use_new_zipfile_serialization=zipped)
    (problem,) = problems_of(folder)
    assert problem.startswith("contains objects that are not tensors, which are not read: ")
    assert not (folder / "evil.txt").exists()


@pytest.mark.parametrize("content", [b"", b"\x80\x04.", b"PK\x03\x04", b"no pickle"])
def test_a_file_that_is_not_a_pickle(checkpoint: Checkpoint, content: bytes) -> None:
    folder, _ = checkpoint("BertModel")
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(content)
    (problem,) = problems_of(folder)
    assert problem == "not a valid PyTorch checkpoint"


def test_a_pickle_of_something_else(checkpoint: Checkpoint) -> None:
    folder, _ = checkpoint("BertModel")
    (folder / "model.safetensors").unlink()
    torch.save([torch.ones(3)], folder / "pytorch_model.bin")
    assert problems_of(folder) == ["must contain a state dict, not a list"]
    torch.save({"a": torch.ones(3), "step": 3}, folder / "pytorch_model.bin")
    assert problems_of(folder) == [
        "contains entries that are not tensors: step; save only the model's state dict"
    ]


def test_weights_under_logical_names(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """`import --weights` keeps the dtype of the file; `load_weights` reads what it wrote."""
    folder, theirs = checkpoint("BertModel")
    theirs.to(torch.bfloat16).save_pretrained(folder)
    spec, weights = tmp_path / "spec.yaml", tmp_path / "weights.safetensors"
    arguments = ["import", str(folder), "-o", str(spec), "--weights", str(weights)]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    tensors = load_file(weights)
    assert {tensor.dtype for tensor in tensors.values()} == {torch.bfloat16}
    assert tensors["layers.1.attention.query.weight"].equal(
        theirs.encoder.layer[1].attention.self.query.weight
    )
    mw.load_weights(mw.compile(spec, dtype="bfloat16"), weights)
    again = CliRunner().invoke(cli, [*arguments, "--quiet"])
    assert again.exit_code == 2
    assert "exists" in again.output
    assert CliRunner().invoke(cli, [*arguments, "--force"]).exit_code == 0


def test_the_file_of_an_imported_model_says_how_to_write_it(checkpoint: Checkpoint) -> None:
    folder, _ = checkpoint()
    model = from_pretrained(folder)
    text = "".join(linecache.getlines(str(sys.modules[type(model).__module__].__file__)))
    assert "from config.json in the folder tiny-bert" in text
    assert "    modelwright import tiny-bert -o tiny-bert.yaml\n" in text
    assert "    modelwright build tiny-bert.yaml -o tiny_bert.py\n" in text
    assert str(folder.parent) not in text
