"""Different spellings of a spec give the same file: levels, families, patterns, `extends`."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from modelwright.backends.verify.levels import meaning, met, spelled
from modelwright.spec import SpecErrors

from .examine import read
from .specs import Document, random_spec

EXAMPLES = Path(__file__).parents[2] / "examples"


def differing(document: Document) -> bool:
    """Is it another spec when it is spelled out? Raises SpecErrors for a spec that is refused."""
    spec = read(document)
    return bool(meaning(spec) != meaning(read(Document(spelled(document.data, document.files)))))


@pytest.mark.parametrize("first", range(0, 40, 40))
def test_random_specs_spelled_out(first: int) -> None:
    found = []
    for seed in range(first, first + 40):
        try:
            found += [seed] if differing(random_spec(seed)) else []
        except SpecErrors:
            continue
    assert not found


def test_examples_spelled_out() -> None:
    texts = {path.name: path.read_text(encoding="utf-8") for path in EXAMPLES.glob("*.yaml")}
    documents = {name: yaml.safe_load(text) for name, text in texts.items()}
    found = [name for name, data in documents.items() if differing(Document(data, documents))]
    assert not found


def test_what_is_spelled_out_inherits_nothing() -> None:
    data = {
        "name": "a",
        "family": "decoder-only",
        "d_model": 8,
        "layers": 3,
        "norm": "rmsnorm",
        "attention": {"heads": 2},
        "feed_forward": {"d_ff": 9},
        "overrides": {-1: {"norm": {"eps": 0.5}}},
    }
    (stack,) = spelled(data, {})["stacks"].values()
    assert stack["pattern"] == ["layer0", "layer0", "layer2"]
    assert [block["norm"] for block in stack["blocks"].values()] == [
        {"type": "rmsnorm"},
        {"type": "rmsnorm", "eps": 0.5},
    ]
    assert stack["blocks"]["layer0"]["mask"] == "causal"
    assert stack["blocks"]["layer0"]["feed_forward"]["activation"] == {"type": "gelu"}
    assert "attention" not in stack


def test_the_one_merge() -> None:
    assert met("norm", {"type": "rmsnorm", "eps": 1}, "layernorm") == {"type": "layernorm"}
    assert met("norm", {"type": "rmsnorm", "eps": 1}, {"weight_offset": 1}) == {
        "type": "rmsnorm",
        "eps": 1,
        "weight_offset": 1,
    }
    assert met("heads", {"a": "language_model", "b": "classifier"}, {"b": "none"}) == {
        "a": "language_model"
    }
