"""`import` and `export`, killed at random moments, leave whole files and folders, old or new.

A command spends most of its time on imports. So most tries are forks of a process that has them
behind it: the kill falls on what the command does. Some are processes of their own.
"""

from __future__ import annotations

import json
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import modelwright as mw

SPEC = """name: x
family: decoder-only
vocab_size: 500
max_positions: 64
d_model: 64
layers: 4
positions: learned
attention: {heads: 4}
feed_forward: {activation: gelu_tanh}
head: {type: language_model, tied: true}
"""
SERVER = """
import json, os, sys, time
from modelwright.cli import cli as main
for line in sys.stdin:
    words, seconds = json.loads(line)
    if seconds is None:  # here itself, so that all is imported
        main(words, standalone_mode=False)
    start, child = time.monotonic(), os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        try:
            main(words, standalone_mode=False)
        finally:
            os._exit(0)
    if seconds:
        time.sleep(seconds)
        os.kill(child, 9)
    _, status = os.waitpid(child, 0)
    print(json.dumps([os.WIFSIGNALED(status), time.monotonic() - start]), flush=True)
"""
FORKED = [4, pytest.param(90, marks=pytest.mark.slow)]
STARTED = 10


class Forks:
    """Runs commands in forks of one process, and kills them."""

    def __init__(self) -> None:
        self.server = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def run(self, words: list[str], seconds: float | None = 0) -> tuple[bool, float]:
        """Was it killed, and how long it ran; `seconds` of 0 let it end, None warm up for it."""
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.write(json.dumps([words, seconds]) + "\n")
        self.server.stdin.flush()
        killed, took = json.loads(self.server.stdout.readline())
        return bool(killed), float(took)


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    made = Forks()
    yield made
    made.server.kill()
    made.server.wait()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two weights of a spec, and a folder of each."""
    place = tmp_path_factory.mktemp("made")
    (place / "x.yaml").write_text(SPEC)
    from safetensors.torch import save_file

    from modelwright.backends.huggingface import export

    for number in (0, 1):
        model: Any = mw.compile(place / "x.yaml", seed=number)
        save_file(model.state_dict(), place / f"{number}.safetensors")
        export(place / "x.yaml", place / f"{number}.safetensors", place / f"folder{number}")
    return place


def command(what: str, number: int, made: Path, out: Path) -> list[str]:
    if what == "import":
        written = ["-o", str(out / "a.yaml"), "--weights", str(out / "a.safetensors")]
        return ["import", str(made / f"folder{number}"), *written, "--force"]
    weights = ["--weights", str(made / f"{number}.safetensors")]
    return ["export", str(made / "x.yaml"), *weights, "-o", str(out / "a"), "--force"]


def contents(place: Path) -> dict[str, bytes]:
    """What is there, but for what a killed process left under a name of its own."""
    files = [path for path in place.rglob("*") if path.is_file()]
    named = {path.relative_to(place): path.read_bytes() for path in files}
    return {str(p): data for p, data in named.items() if not p.parts[0].startswith(".")}


def is_whole(what: str, found: dict[str, bytes], ends: list[dict[str, bytes]]) -> bool:
    """Each file of `import`, or the folder of `export`, is that of an end, or is not there."""
    if what == "export":
        return found in [{}, *ends]
    return all(data in [end[name] for end in ends] for name, data in found.items())


@pytest.mark.parametrize("tries", FORKED)
@pytest.mark.parametrize("what", ["import", "export"])
def test_existing_files_are_complete(
    forks: Forks, made: Path, tmp_path: Path, what: str, tries: int
) -> None:
    ends = []
    for number in (0, 1):
        (tmp_path / str(number)).mkdir()
        forks.run(command(what, number, made, tmp_path / str(number)), None)
        ends.append(contents(tmp_path / str(number)))
    assert ends[0].keys() == ends[1].keys()
    assert ends[0] != ends[1]
    out, dice, cut_short = tmp_path / "out", random.Random(what), 0
    new = command(what, 1, made, out)
    shutil.copytree(tmp_path / "0", out)
    usual = statistics.median(forks.run(new)[1] for _ in range(3))
    for _ in range(tries):
        shutil.rmtree(out)
        shutil.copytree(tmp_path / "0", out) if dice.random() < 0.5 else out.mkdir()
        moment = dice.random() * 1.1 if dice.random() < 0.5 else 0.7 + dice.random() * 0.4
        cut_short += forks.run(new, usual * moment)[0]  # most of it is written at the end
        assert is_whole(what, contents(out), ends)
    assert tries < 20 or cut_short > tries / 4
    forks.run(new)
    assert contents(out) == ends[1]
    assert not [path.name for path in out.iterdir() if path.name.startswith(".")]


@pytest.mark.slow
@pytest.mark.parametrize("what", ["import", "export"])
def test_a_process_of_its_own(made: Path, tmp_path: Path, what: str) -> None:
    dice = random.Random(what)
    words = [sys.executable, "-m", "modelwright", *command(what, 1, made, tmp_path)]
    start = time.monotonic()
    subprocess.run(words, check=True, capture_output=True)
    usual, end = time.monotonic() - start, contents(tmp_path)
    for _ in range(STARTED):
        if dice.random() < 0.5:
            for path in tmp_path.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(usual * (0.6 + 0.5 * dice.random()))
        process.kill()
        process.wait()
        assert is_whole(what, contents(tmp_path), [end])
    subprocess.run(words, check=True, capture_output=True)
    assert contents(tmp_path) == end
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]
