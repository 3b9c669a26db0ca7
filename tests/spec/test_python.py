"""The same specs from Python, without YAML."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from modelwright.spec import (
    Block,
    ModelSpec,
    SpecErrors,
    Stack,
    from_data,
    language_reference,
    loads,
)
from modelwright.spec.attention import Mha
from modelwright.spec.feed_forward import GluBranch
from modelwright.spec.head import LanguageModel
from modelwright.spec.masks import Atom
from modelwright.spec.norm import RmsNorm
from modelwright.spec.positions import Rotary

YAML = """
name: tiny
layers: 2
d_model: 8
vocab_size: 9
norm: {type: rmsnorm, eps: 1e-6}
stacks:
  decoder:
    mask: causal
    positions: rotary
    attention: {heads: 2}
    feed_forward: {type: glu, d_ff: 32}
head: {type: language_model, tied: true}
"""


def test_parts_build_the_same_spec() -> None:
    block = Block(
        attention=Mha(heads=2),
        feed_forward=GluBranch(d_ff=32),
        mask=Atom("causal"),
        positions=(Rotary(),),
        norm=RmsNorm(eps=1e-6),
    )
    stack = Stack(
        layers=2,
        d_model=8,
        vocab_size=9,
        norm=RmsNorm(eps=1e-6),
        positions=(Rotary(),),
        blocks={"block": block},
        order=("block",),
    )
    spec = ModelSpec(
        name="tiny", stacks={"decoder": stack}, heads={"head": LanguageModel(tied=True)}
    )
    written = loads(YAML)
    assert spec.stacks == written.stacks
    assert spec.heads == written.heads
    assert spec.mark(("stacks",)) is None


def test_plain_data_builds_the_same_spec() -> None:
    data = {
        "name": "tiny",
        "layers": 2,
        "d_model": 8,
        "vocab_size": 9,
        "norm": {"type": "rmsnorm", "eps": 1e-6},
        "stacks": {
            "decoder": {
                "mask": "causal",
                "positions": "rotary",
                "attention": {"heads": 2},
                "feed_forward": {"type": "glu", "d_ff": 32},
            }
        },
        "head": {"type": "language_model", "tied": True},
    }
    assert from_data(data) == loads(YAML)
    assert ModelSpec.model_validate(data) == loads(YAML)


def test_the_code_of_the_reference_runs() -> None:
    """The last block of Python in docs/language.md holds an assertion of its own."""
    code = re.findall(r"```python\n(.*?)```", language_reference(), re.DOTALL)[-1]
    exec(compile(code, "language.md", "exec"), {})


def test_all_errors_in_data_are_reported() -> None:
    with pytest.raises(SpecErrors) as caught:
        from_data({"name": "tiny", "family": "decoder-only", "layrs": 2, "d_model": "8"})
    text = str(caught.value)
    assert "unknown key `layrs`; did you mean `layers`?" in text
    assert "`d_model` must be an integer" in text


def test_nothing_changes_once_it_is_read() -> None:
    spec = loads(YAML)
    with pytest.raises(ValidationError):
        spec.name = "other"
    with pytest.raises(ValidationError):
        spec.stacks["decoder"].layers = 3


def test_parts_are_strict() -> None:
    for wrong in ({"heads": "2"}, {"heads": 2, "haeds": 3}, {"heads": True}, {}):
        with pytest.raises(ValidationError):
            Mha(**wrong)
