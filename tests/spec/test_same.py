"""Specs with the same meaning give the same file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import modelwright as mw
from modelwright.spec.source import parse

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("tiny_*.yaml"))
ORDERED = ("stacks", "heads", "add")  # the order of these is that of arguments and outputs
TINY = (
    "name: t\nfamily: decoder-only\nvocab_size: 9\nd_model: 8\nlayers: 2\nattention: {heads: 2}\n"
)


def reversed_keys(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        names = list(value) if key in ORDERED else list(reversed(value))
        return {name: reversed_keys(value[name], name) for name in names}
    return [reversed_keys(one) for one in value] if isinstance(value, list) else value


@pytest.mark.sampled(6)
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_order_style_and_defaults_change_nothing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = parse(text, "x", [])
    assert tree is not None
    data, expected = tree.plain(), mw.emit(mw.loads(text, "x.yaml"))
    forms = {
        "json": json.dumps(data),
        "block": yaml.dump(data, sort_keys=False, default_flow_style=False),
        "flow": yaml.dump(data, sort_keys=False, default_flow_style=True),
        "reversed": yaml.dump(reversed_keys(data), sort_keys=False),
        "defaults": mw.to_yaml(mw.loads(text)),
        "show": mw.show(mw.loads(text)),
        "crlf": text.replace("\n", "\r\n"),
    }
    for name, form in forms.items():
        assert mw.emit(mw.loads(form, "x.yaml")) == expected, name


@pytest.mark.parametrize(
    ("one", "others"),
    [
        (
            "norm: {eps: 1e-5}",
            ["norm: {eps: 0.00001}", "norm: {eps: 1.0E-05}", "norm: {eps: 10e-6}"],
        ),
        ("dropout: 0.1", ["dropout: .1", "dropout: 1e-1", "dropout: 0.10", "dropout: +0.1"]),
        ("dropout: 0", ["dropout: 0.0", "dropout: -0.0", "dropout: 0e3"]),
        ("positions: {type: rotary, theta: 10000}", ["positions: rotary", "positions: [rotary]"]),
        ("max_positions: 1000", ["max_positions: 1e3", "max_positions: 1000.0"]),
        (
            "mask: causal & window(3)",
            ["mask: '(causal)&window( 3 )'", 'mask: "causal & window(3)"'],
        ),
    ],
)
def test_numbers_and_words_written_differently(one: str, others: list[str]) -> None:
    expected = mw.emit(mw.loads(f"{TINY}{one}\n", "x.yaml"))
    for other in others:
        assert mw.emit(mw.loads(f"{TINY}{other}\n", "x.yaml")) == expected, other


@pytest.mark.parametrize(
    ("key", "value"), [("dropout", 0.0), ("dropout", 0), ("norm", {"eps": 1e-05})]
)
def test_numbers_from_python(key: str, value: Any) -> None:
    data = {"name": "t", "family": "decoder-only", "vocab_size": 9.0, "d_model": 8, "layers": 2.0}
    found = mw.from_data({**data, "attention": {"heads": 2}, key: value}, "x.yaml")
    text = json.dumps(value)
    assert mw.emit(found) == mw.emit(mw.loads(f"{TINY}{key}: {text}\n", "x.yaml"))
