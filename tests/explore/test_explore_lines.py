"""`lines.js`: the runs of lines that differ turn one text into the other, and are few."""

from __future__ import annotations

import json
import shutil
import subprocess
from difflib import SequenceMatcher
from pathlib import Path
from random import Random
from typing import Any

import pytest

LINES = Path(__file__).parents[2] / "explorer/page/src/lines.js"
NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="no Node.js here; `make explore` needs it too")
SCRIPT = f"""
import {{ readFileSync }} from "node:fs";
const {{ differing }} = await import({json.dumps(LINES.as_uri())});
const pairs = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(pairs.map(([old, now]) => differing(old, now))));
"""
Pair = tuple[list[str], list[str]]


def differing(pairs: list[Pair]) -> Any:
    assert NODE is not None
    command = [NODE, "--input-type=module", "-e", SCRIPT]
    given = json.dumps(pairs)
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def changed(old: list[str], now: list[str], runs: list[list[int]]) -> list[str]:
    """The old lines with each run replaced."""
    made: list[str] = []
    at = 0
    for first, last, start, end in runs:
        assert at <= first <= last
        made += old[at:first] + now[start:end]
        at = last
    return made + old[at:]


def test_runs_of_random_texts() -> None:
    dice = Random(0)
    pairs = [
        tuple(dice.choices("abc", k=dice.randint(1, 12)) for _ in range(2)) for _ in range(400)
    ]
    for (old, now), runs in zip(pairs, differing(pairs), strict=True):
        assert changed(old, now, runs) == now
        count = sum(last - first + end - start for first, last, start, end in runs)
        same = SequenceMatcher(None, old, now, autojunk=False).get_matching_blocks()
        assert count <= len(old) + len(now) - 2 * sum(block.size for block in same)


def test_a_first_and_a_last_line_leave_what_is_between() -> None:
    between = [str(number) for number in range(500)]
    text = ["first", *between, "last"]
    other = ["1st", *between[:200], "more", *between[200:], "end"]
    [runs] = differing([(text, other)])
    assert runs == [[0, 1, 0, 1], [201, 201, 201, 202], [501, 502, 502, 503]]


def test_texts_that_have_little_in_common_are_one_run() -> None:
    old, now = ([f"{word} {number}" for number in range(300)] for word in ("old", "new"))
    assert differing([(old, now), (now, now)]) == [[[0, 300, 0, 300]], []]
