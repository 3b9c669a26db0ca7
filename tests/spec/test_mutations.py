"""Specs broken at random: located errors, never a traceback."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelwright.spec import SpecError, SpecErrors, from_data, load, loads, source
from modelwright.spec.source import parse

SPECS = sorted((Path(__file__).parent / "specs").glob("*.yaml"))
JUNK: list[Any] = [
    0, -1, 1, 7, 2.5, 10**9, 10**30, True, False, "none", "", "x", "rotary", "mha", "encoder",
    "4 * d_model", "causal", "causal &", [], ["none"], [[]], [1, 2], {}, {"type": "none"},
    {"type": "glu"}, {"type": 3}, {"heads": 3}, {"a": {"b": "c"}}, [{"type": "learned"}], "0..2",
]  # fmt: skip


def nodes(data: Any) -> list[tuple[Any, Any]]:
    """Every place in the data: the collection and the key."""
    found = []
    items = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in items:
        found.append((data, key))
        if isinstance(value, (dict, list)):
            found += nodes(value)
    return found


def mutate(data: Any, dice: random.Random) -> None:
    holder, key = dice.choice(nodes(data))
    action = dice.randrange(4)
    if action == 0:
        holder[key] = copy.deepcopy(dice.choice(JUNK))
    elif action == 1:
        del holder[key]
    elif action == 2 and isinstance(holder, dict):
        holder[dice.choice(["type", "mask", "norm", "heads", f"{key}s", "positions", "0"])] = (
            holder.pop(key)
        )
    else:
        other, place = dice.choice(nodes(data))
        holder[key] = copy.deepcopy(other[place])


def problems_of(read: Callable[[Any], object], what: Any) -> tuple[SpecError, ...]:
    """Every problem; none when it is read after all. Any other exception is a failure."""
    try:
        read(what)
    except SpecErrors as error:
        return error.problems
    return ()


@pytest.mark.sampled(2)
@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_mutations_are_read_or_refused(path: Path) -> None:
    dice = random.Random(path.stem)
    tree = parse(path.read_text(encoding="utf-8"), path.name, [])
    assert tree is not None
    for _ in range(60):
        data = tree.plain()
        data.pop("extends", None)
        for _ in range(dice.randrange(1, 4)):
            if data:
                mutate(data, dice)
        problems = problems_of(from_data, data)
        assert not [p for p in problems if "BROKEN" in p.message], data


def test_mutated_text_is_read_or_refused() -> None:
    text = (Path(__file__).parent / "specs" / "t5_small.yaml").read_text(encoding="utf-8")
    dice = random.Random(5)
    for _ in range(400):
        letters = list(text)
        for _ in range(dice.randrange(1, 5)):
            place = dice.randrange(len(letters))
            letters[place] = dice.choice([*"{}[]:,#&*!|>'\"%@`\t\n -?~0a\\", ""])
        problems = problems_of(loads, "".join(letters))
        assert all(p.mark.line >= 1 for p in problems)


def test_json_is_a_spec_too() -> None:
    spec = load(Path(__file__).parent / "specs" / "gpt2.yaml")
    written = parse((Path(__file__).parent / "specs" / "gpt2.yaml").read_text(), "x", [])
    assert written is not None
    assert loads(json.dumps(written.plain())) == spec


# What mutilates a text: signs of YAML, spaces of all kinds, and whole pieces.
SIGNS = [
    *"{}[]:,-#&*!|>'\"%@`?~=\\.0é\t\n \u00a0\u3000\u2028\x85",
    "---\n",
    "...\n",
    "\r\n",
    "\r",
    ": ",
]
SIGNS += [
    " #",
    "- ",
    "? ",
    "<<: ",
    "!!int ",
    " |\n  a\n  b\n",
    " >-\n  x\n",
    "%YAML 1.2\n---\n",
    "''",
]


def mutilated(text: str, dice: random.Random) -> str:
    for _ in range(dice.choice([1, 1, 2, 3])):
        at, cut = dice.randrange(len(text) + 1), dice.choice([0, 0, 1, 2, 20])
        text = text[:at] + dice.choice(SIGNS) * dice.randrange(2) + text[at + cut :]
    return text


def reading(text: str) -> str:
    problems: list[SpecError] = []
    return f"{parse(text, 'x.yaml', problems)} {problems}"


@pytest.mark.parametrize("seed", range(3))
def test_both_parsers_of_pyyaml_read_the_same(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parser in C gives the tree, the places and the problems of the one in Python."""
    dice = random.Random(seed)
    texts = [path.read_text(encoding="utf-8") for path in dice.sample(SPECS, 10)]
    texts += [mutilated(dice.choice(texts), dice) for _ in range(150)]
    fast = [reading(text) for text in texts]
    monkeypatch.setattr(source, "FAST_LOADER", None)
    assert fast == [reading(text) for text in texts]
