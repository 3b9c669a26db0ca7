"""Files from untrusted sources: false claims, large contents and links do no harm."""

from __future__ import annotations

import json
import os
import struct
import zipfile
from pathlib import Path

import pytest
import torch

from modelwright.backends.checkpoint_files import MOST_JSON, find_weights, read_json
from modelwright.backends.huggingface import CheckpointError
from modelwright.backends.pytorch.weights import save_weights
from modelwright.spec import SpecErrors, load

SPEC = (
    "name: x\nfamily: encoder-only\nvocab_size: 9\nd_model: 8\nlayers: 1\nattention: {heads: 2}\n"
)


def refused(folder: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        find_weights(folder)
    return str(caught.value)


def header(said: dict[str, object], *, length: int | None = None) -> bytes:
    """The beginning of a safetensors file, with any claim of how long its header is."""
    text = json.dumps(said).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text


@pytest.mark.parametrize(
    "data",
    [
        header({}, length=2**62),
        header({}, length=2**64 - 1),
        header({"a": {"dtype": "F64", "shape": [10**15], "data_offsets": [0, 8 * 10**15]}}),
        header({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}) + b"1234",
        header({"a": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 8]}}) + b"0" * 8,
        header({"a": {"dtype": "F32", "shape": [1], "data_offsets": [9, 5]}}) + b"0" * 16,
        b"\xff" * 7,
        b"",
    ],
)
def test_a_wrong_safetensors_header(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(data)
    assert "not a valid safetensors file" in refused(tmp_path)


def test_a_compressed_pickle_is_not_unpacked(tmp_path: Path) -> None:
    """A few kilobytes could become gigabytes; torch itself stores what it zips as it is."""
    file = tmp_path / "pytorch_model.bin"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 50_000_000)
        archive.writestr("archive/version", b"3")
    assert file.stat().st_size < 100_000
    assert "is compressed" in refused(tmp_path)


def test_a_tensor_that_is_larger_than_its_file(tmp_path: Path) -> None:
    """One number, said to be a billion by strides of zero."""
    torch.save({"a": torch.zeros(1).expand(10**9)}, tmp_path / "pytorch_model.bin")
    assert "larger than the file" in refused(tmp_path)


def test_an_index_as_large_as_a_disk(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors.index.json"
    with path.open("wb") as file:
        file.truncate(MOST_JSON + 10**9)  # sparse: it takes no place
    with pytest.raises(ValueError, match="larger than"):
        read_json(path)
    assert "not a valid index of weights" in refused(tmp_path)


def test_an_index_that_is_nested_without_end(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors.index.json").write_text("[" * 200_000)
    assert "not a valid index of weights" in refused(tmp_path)


@pytest.mark.parametrize("name", ["../outside.yaml", "/etc/passwd", "link.yaml", "folder/up.yaml"])
def test_extends_stays_in_the_folder_of_the_spec(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "inside"
    (inside / "folder").mkdir(parents=True)
    (tmp_path / "outside.yaml").write_text(SPEC)
    (inside / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    (inside / "folder" / "up.yaml").symlink_to("../../outside.yaml")
    (inside / "spec.yaml").write_text(f"name: y\nextends: {name}\n")
    with pytest.raises(SpecErrors, match="is outside the folder of the spec"):
        load(inside / "spec.yaml")


def test_extends_does_not_wait_for_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "spec.yaml").write_text("name: y\nextends: pipe.yaml\n")
    with pytest.raises(SpecErrors, match=r"there is no file `pipe\.yaml`"):
        load(tmp_path / "spec.yaml")


def test_weights_do_not_follow_a_link_that_waits_at_a_temporary_name(tmp_path: Path) -> None:
    """The temporary name was the same each time: a link that waited there was written through."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / ".w.safetensors.part").symlink_to(victim)
    save_weights(torch.nn.Linear(2, 2), tmp_path / "w.safetensors")
    assert victim.read_text() == "mine"
    assert (tmp_path / "w.safetensors").is_file()
