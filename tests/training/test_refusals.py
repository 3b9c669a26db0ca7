"""What stops a run: damaged or other data, a loss that is not finite, a full disk."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Script, log_of

from modelwright.training.emitted.log import Log, read


def beyond(data: Path) -> None:
    tokens = np.memmap(data / "train.bin", np.uint16, "r+")
    tokens[::50] = 300
    tokens.flush()


def edit(**changes: Any) -> Callable[[Path], None]:
    def change(data: Path) -> None:
        about = json.loads((data / "data.json").read_text(encoding="utf-8"))
        (data / "data.json").write_text(json.dumps(about | changes), encoding="utf-8")

    return change


def cut(name: str, size: int) -> Callable[[Path], None]:
    return lambda data: (data / name).write_bytes((data / name).read_bytes()[:size])


class Half:
    """A file of which the disk takes the first half, then is full."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Half:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, text: str) -> None:
        with open(self.path, "a") as file:
            file.write(text[: len(text) // 2])
        raise OSError(28, "No space left on device")


DAMAGED = {
    "beyond": (beyond, "is 300, but vocab_size of the model is 256"),
    "truncated": (cut("train.bin", 10_001), "train.bin has 10,001 bytes instead of"),
    "empty": (cut("train.bin", 0), "train.bin has 0 bytes instead of"),
    "ends": (cut("val.ends", 3), "val.ends has 3 bytes instead of"),
    "missing": (lambda data: (data / "train.bin").unlink(), "train.bin is missing"),
    "no_json": (lambda data: (data / "data.json").unlink(), "`modelwright data` writes it"),
    "bad_json": (cut("data.json", 20), "data.json is damaged"),
    "half_json": (edit(train={}), "data.json is damaged"),
    "sizes": (edit(vocabulary="256"), "data.json is damaged: its sizes are not whole numbers"),
    "dtype": (edit(dtype="byte256"), "data.json is damaged: data type 'byte256' not understood"),
    "format": (edit(format=2), "has data of format 2, but this script reads format 1"),
    "vocabulary": (edit(vocabulary=300), "has a vocabulary of 300, but the model has vocab_size"),
    "kind": (edit(kind="pairs"), "of kind `pairs`, but this model needs kind `text`"),
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_data(case: str, script: Script, tokens: Path, tmp_path: Path) -> None:
    damage, message = DAMAGED[case]
    shutil.copytree(tokens, tmp_path / "data")
    damage(tmp_path / "data")
    code, _, said = script.run(tmp_path / "run", data=str(tmp_path / "data"))
    assert code == 2, said
    assert message in said
    assert "Traceback" not in said
    assert not list((tmp_path / "run").glob("step-*"))


SETTINGS = {
    "batch": (
        {"batch": 10},
        "batch (10) must be a multiple of micro_batch (4) x groups of devices (1)",
    ),
    "length": ({"length": 1_000_000}, "fewer than two sequences of 1000000"),
    "weights": ({"weights": "nowhere.safetensors"}, "nowhere.safetensors cannot be read"),
    "unknown": ({"learning_rate": 3}, "unknown setting `learning_rate`; expected one of: data"),
    "type": ({"steps": 1.5}, "steps must be of type int, not 1.5"),
    "least": ({"steps": 0}, "steps must be at least 1, not 0"),
    "tensor_size": ({"tensor_size": 2}, "tensor_size has no effect with ddp; choose"),
    "word": ({"schedule": "linear"}, "schedule must be one of cosine, wsd"),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_wrong_settings(case: str, script: Script, tmp_path: Path) -> None:
    changes, message = SETTINGS[case]
    code, _, said = script.run(tmp_path / "run", **changes)
    assert code == 2, said
    assert message in said
    assert "Traceback" not in said


OTHER = {
    "spec": {"spec": "another"},
    "batch": {"batch": 16},
    "length": {"length": 8},
    "seed": {"seed": 1},
}


def test_a_run_is_not_resumed_as_another(script: Script, tokens: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert script.run(out, steps=4)[0] == 0
    before = (out / "step-00000004" / "weights.safetensors").read_bytes()
    shutil.copytree(tokens, tmp_path / "data")
    edit(tokenizer="0123")(tmp_path / "data")
    for name, changes in {**OTHER, "tokenizer": {"data": str(tmp_path / "data")}}.items():
        code, _, said = script.run(out, **changes)
        assert code == 2, said
        assert f"was trained with another {name} (" in said
    assert (out / "step-00000004" / "weights.safetensors").read_bytes() == before
    assert script.run(out)[0] == 0  # and it can still be resumed


def test_a_loss_that_is_not_finite(script: Script, tmp_path: Path) -> None:
    """The step is named, and the last checkpoint before it is kept."""
    out = tmp_path / "run"
    assert script.run(out, steps=4)[0] == 0
    good = (out / "step-00000004" / "weights.safetensors").read_bytes()
    code, _, said = script.run(out, steps=40, lr=1e38)
    assert code == 2, said
    bad = next(line["step"] for line in log_of(out) if not np.isfinite(line.get("loss", 0.0)))
    assert f"step {bad}: the loss is nan" in said
    assert "step-00000004 is kept" in said
    assert [path.name for path in out.glob("step-*")] == ["step-00000004"]
    assert (out / "step-00000004" / "weights.safetensors").read_bytes() == good
    assert script.run(out)[0] == 0


def test_weights_that_are_not_finite(script: Script, tmp_path: Path) -> None:
    """0 / 0 in AdamW, after a finite loss: such weights are not saved."""
    out = tmp_path / "run"
    for steps, kept in ((1, "nothing was saved"), (5, "step-00000004 is kept")):
        code, _, said = script.run(out, steps=steps, epsilon=0.0)
        assert code == 2, said
        assert f"step {steps - 1}: numbers of " in said
        assert f"are not finite any more; {kept}" in said.replace(f"{out}/", "")
        assert not (out / "weights.safetensors").exists()
        if steps == 1:
            assert script.run(out, steps=4)[0] == 0
            (out / "weights.safetensors").unlink()


def test_a_folder_is_trained_in_by_one_process(script: Script, tmp_path: Path) -> None:
    """As after `kill -9` of `modelwright train`, whose script goes on."""
    held = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    code, _, said = script.run(tmp_path)
    assert (code, f"another process is training in {tmp_path}" in said) == (2, True), said
    os.close(held)
    assert script.run(tmp_path, steps=1)[0] == 0


def test_a_damaged_checkpoint_is_named(script: Script, tmp_path: Path) -> None:
    assert script.run(tmp_path, steps=2)[0] == 0
    for text, reason in (("", "Expecting value"), ("[1]", "")):
        (tmp_path / "step-00000002" / "run.json").write_text(text)
        code, _, said = script.run(tmp_path)
        assert code == 2, said
        assert f"run.json is damaged ({reason}" in said


def test_half_a_line_of_a_full_disk_is_not_joined_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(tmp_path / "log.jsonl", 0, writes=True)
    log.write([{"step": 0, "loss": 3.0}])
    with monkeypatch.context() as full:
        full.setattr(Path, "open", lambda path, *_, **__: Half(path))
        log.write([{"step": 1, "loss": 2.0}])
    log.write([{"step": 2, "loss": 1.0}])
    assert [line["step"] for line in read(log.path)] == [0, 2]
    with log.path.open("a") as file:
        file.write('{"step": 3, "lo')
    assert [line["step"] for line in read(log.path)] == [0, 2]


def test_a_full_disk(script: Script, tmp_path: Path) -> None:
    """The checkpoint before stays; training goes on, and fails where the last cannot be kept."""
    out = tmp_path / "run"
    assert script.run(out, steps=4)[0] == 0
    code, _, said = script.run(out, {"limit": 8000})
    assert code == 2, said
    assert said.count("could not be written") == 4
    assert "Traceback" not in said
    assert [path.name for path in out.glob("step-*")] == ["step-00000004"]
    assert not (out / "unfinished").exists()
    assert script.run(out)[0] == 0
    whole = tmp_path / "whole"
    assert script.run(whole)[0] == 0
    assert (out / "weights.safetensors").read_bytes() == (
        whole / "weights.safetensors"
    ).read_bytes()
