"""A process that is killed while it writes leaves a complete new file, the old one, or none."""

from __future__ import annotations

import ast
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from modelwright.outputs import write, write_folder

SPEC = """name: x
family: decoder-only
vocab_size: 500
max_positions: 64
d_model: 64
layers: 4
positions: learned
attention: {heads: 4}
head: {type: language_model, tied: true}
"""
# A process that writes over and over, for as long as it lives: imports take most of the time of a
# command, and what is tried here is the moment of writing.
WRITER = """
import sys
from pathlib import Path
from modelwright import outputs
what, place, count = sys.argv[1], Path(sys.argv[2]), 0
print("ready", flush=True)
while True:
    count += 1
    data = b"%08d" % count * 200_000
    if what == "file":
        outputs.write(place, data, force=True)
    else:
        def fill(fresh):
            for name in "abc":
                (fresh / name).write_bytes(data)
        outputs.write_folder(place, fill, force=True, is_ours=lambda folder: True)
"""
TRIES = [3, pytest.param(200, marks=pytest.mark.slow)]


def kill_soon(command: list[str], seconds: float) -> None:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()


def is_whole(data: bytes) -> bool:
    return len(data) == 8 * 200_000 and data == data[:8] * 200_000


@pytest.mark.parametrize("tries", TRIES)
@pytest.mark.parametrize("what", ["file", "folder"])
def test_written_files_are_complete(tmp_path: Path, what: str, tries: int) -> None:
    place, dice = tmp_path / "out", random.Random(0)
    for _ in range(tries):
        kill_soon([sys.executable, "-c", WRITER, what, str(place)], dice.random() * 0.1)
        if not place.exists():
            continue
        files = [place] if what == "file" else sorted(place.iterdir())
        contents = [path.read_bytes() for path in files]
        assert all(is_whole(data) for data in contents)
        assert what == "file" or (len(files) == 3 and len(set(contents)) == 1)
    if what == "file":
        write(place, b"last", force=True)
    else:
        write_folder(place, lambda fresh: None, force=True, is_ours=lambda folder: True)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.slow
def test_build_is_killed_at_any_moment(tmp_path: Path) -> None:
    spec, out, dice = tmp_path / "x.yaml", tmp_path / "x.py", random.Random(1)
    spec.write_text(SPEC)
    command = [sys.executable, "-m", "modelwright", "build", str(spec), "-o", str(out), "--force"]
    start = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    usual, whole = time.monotonic() - start, out.read_bytes()
    for _ in range(40):
        out.unlink(missing_ok=True)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(usual * (0.7 + 0.4 * dice.random()))
        process.kill()
        process.wait()
        assert not out.exists() or out.read_bytes() == whole
    subprocess.run(command, check=True, capture_output=True)
    ast.parse(out.read_text())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.py", "x.yaml"]


def test_what_a_killed_process_left_is_removed_and_what_others_write_is_not(tmp_path: Path) -> None:
    """Leftovers have the number of a process that is gone; a stranger's files stay."""
    process = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        capture_output=True,
        text=True,
        check=True,
    )
    kill_soon([sys.executable, "-c", WRITER, "file", str(tmp_path / "a")], 0.02)
    for name in (f".{int(process.stdout)}.a", ".x.a", ".1-zzzz00000000.a"):
        (tmp_path / name).write_text(json.dumps(name))
    write(tmp_path / "a", b"mine", force=True)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted([f".{int(process.stdout)}.a", ".1-zzzz00000000.a", ".x.a", "a"])
