"""Runs that are killed and resumed have bitwise equal results and complete checkpoints."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import Script, log_of

KILLED = [5, pytest.param(50, marks=pytest.mark.slow)]


@pytest.fixture(scope="module")
def whole(script: Script, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A run that was never interrupted, and how many things it did to files."""
    out = tmp_path_factory.mktemp("whole") / "run"
    code, events, said = script.run(out)
    assert code == 0, said
    assert events > 50
    return out, events


def assert_equal(out: Path, whole: Path) -> None:
    assert log_of(out) == log_of(whole)
    names = ["weights.safetensors", "step-00000012/moments.safetensors"]
    for name in names:
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name
    assert {p.name for p in out.iterdir()} == {p.name for p in whole.iterdir()}


@pytest.mark.parametrize("count", KILLED)
def test_killed_at_any_file_operation(
    count: int, script: Script, whole: tuple[Path, int], tmp_path: Path
) -> None:
    """Also between any two steps of writing a checkpoint; and half a line of the log is left."""
    expected, events = whole
    draw, out = random.Random(count), tmp_path / "run"
    for event in sorted(draw.randint(1, events) for _ in range(count)):
        code, _, said = script.run(out, {"event": event})
        assert code in (-9, 0), said
        if (out / "log.jsonl").exists():
            with (out / "log.jsonl").open("a") as file:
                file.write('{"step": 3, "lo')
    code, _, said = script.run(out)
    assert code == 0, said
    assert_equal(out, expected)


@pytest.mark.parametrize("count", KILLED)
def test_killed_at_random_moments(
    count: int, script: Script, whole: tuple[Path, int], tmp_path: Path
) -> None:
    draw, out = random.Random(count), tmp_path / "run"
    for _ in range(count):
        code, _, said = script.run(out, {"seconds": draw.uniform(0.02, 0.3)})
        assert code in (-9, 0), said
    code, _, said = script.run(out)
    assert code == 0, said
    assert_equal(out, whole[0])


def test_every_checkpoint_is_complete(script: Script, tmp_path: Path) -> None:
    """Killed at each operation of the first checkpoint in turn, a run always goes on."""
    out = tmp_path / "run"
    seen = set()
    for event in range(1, 16):
        code, _, said = script.run(out, {"event": event}, steps=4)
        assert code in (-9, 0), said
        seen |= {path.name for path in out.iterdir()} if out.exists() else set()
    assert "unfinished" in seen
    code, _, said = script.run(out, steps=4)
    assert code == 0, said
    assert not (out / "unfinished").exists()


def test_a_checkpoint_that_was_not_yet_removed_is(script: Script, tmp_path: Path) -> None:
    """Killed after a checkpoint is complete, and before the one before it is removed."""
    out = tmp_path / "run"
    assert script.run(out, steps=4)[0] == 0
    before = {path.name for path in out.iterdir()}
    shutil.copytree(out / "step-00000004", out / "step-00000002")
    code, _, said = script.run(out, steps=4)
    assert code == 0, said
    assert {path.name for path in out.iterdir()} == before


@pytest.mark.parametrize("setting", [{"optimizer": "muon"}, {"recompute": True}])
def test_other_settings_resume_equally(
    setting: dict[str, Any], script: Script, tmp_path: Path
) -> None:
    assert script.run(tmp_path / "whole", **setting)[0] == 0
    code, _, said = script.run(tmp_path / "run", {"event": 40}, **setting)
    assert code == -9, said
    assert script.run(tmp_path / "run", **setting)[0] == 0
    assert_equal(tmp_path / "run", tmp_path / "whole")


def test_recomputing_changes_no_number(script: Script, whole: tuple[Path, int], tmp_path: Path):
    assert script.run(tmp_path / "run", recompute=True)[0] == 0
    assert log_of(tmp_path / "run") == log_of(whole[0])


def test_micro_batches_change_rounding_only(script: Script, tmp_path: Path) -> None:
    """With dropout they draw other units, so it is the evaluation at step 1 that is compared."""
    losses = []
    for size in (8, 4, 1):
        out = tmp_path / str(size)
        assert script.run(out, micro_batch=size, steps=1, lr=0.0)[0] == 0
        losses.append(log_of(out)[-1]["val_loss"])
    assert losses[1:] == pytest.approx([losses[0]] * 2, abs=1e-6)
