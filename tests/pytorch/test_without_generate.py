"""Decoders without `generate`: the file, `build` and `export` give the reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from variations import VARIATIONS, emitted

import modelwright as mw
from modelwright.cli import cli

SPEC = """
name: small
family: decoder-only
vocab_size: 31
d_model: 16
layers: 1
attention: {heads: 4}
head: language_model
"""
LATER = "with the mask `{}`, tokens depend on later ones"
LENGTH = "the mask `{}` depends on the number of tokens"
REASONS = {
    "causal | global(2)": LATER.format("causal | global(0:2)"),
    "causal | global(given)": LATER.format("causal | global(given)"),
    "causal & random(2, 4)": LENGTH.format("causal & random(2, 4, 0)"),
    "causal & keys(-3:)": LENGTH.format("causal & keys(-3:)"),
    "full": LATER.format("full"),
}
OTHERS = {
    "score_biases_of_a_decoder": "`score_bias` reads data of all pairs of tokens",
    "separate_global_of_a_decoder": "`separate_global` has two keys and two values per token",
    "learned_tokens_of_a_decoder": "each step would add the vectors before its tokens again",
    "features_causal": "its input is not token ids",
    "two_memories": "it needs several inputs, source_ids, other_ids, input_ids",
    "sublayers_twice": "a layer has a convolution",
    "no_layers": "no layer has attention",
}


def doc_of(text: str) -> str:
    """The docstring of the last class, in one line."""
    return " ".join(text.rpartition("\nclass ")[2].split('"""')[1].split())


@pytest.mark.parametrize("mask", REASONS)
def test_masks(mask: str) -> None:
    text = mw.emit(mw.loads(SPEC, sets=[f"mask={mask}"]))
    assert doc_of(text).endswith(f" Without `generate`: {REASONS[mask]}.")


@pytest.mark.parametrize("name", OTHERS)
def test_other_decoders(name: str) -> None:
    assert doc_of(emitted(name).text).endswith(f" Without `generate`: {OTHERS[name]}.")


def test_prefixes_have_it_and_encoders_need_no_reason() -> None:
    assert "def generate" in mw.emit(mw.loads(SPEC, sets=["mask=causal | prefix"]))
    encoder = mw.loads(SPEC, sets=["family=encoder-only"])
    assert "generate" not in mw.emit(encoder)


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIATIONS)
def test_either_the_method_or_the_reason(name: str) -> None:
    """A reason where the file has no `generate`, and only there."""
    made = emitted(name)
    assert not (made.without_generate and "def generate" in made.text)
    assert bool(made.without_generate) == ("Without `generate`" in doc_of(made.text))


@pytest.mark.parametrize("command", ["build", pytest.param("export", marks=pytest.mark.slow)])
def test_commands_say_the_same(command: str, tmp_path: Path) -> None:
    path, weights = tmp_path / "small.yaml", tmp_path / "small.safetensors"
    path.write_text(SPEC + "mask: causal & random(2, 4)\n", encoding="utf-8")
    words = [command, path, "-o", tmp_path / "small.py"]
    if command == "export":
        mw.save_weights(mw.compile(path), weights)
        words += ["--weights", weights]
    result = CliRunner().invoke(cli, [*map(str, words)])
    assert result.exit_code == 0, result.output
    assert f"has no `generate`: {REASONS['causal & random(2, 4)']}" in result.stderr
