"""Exports that are imported again: the tokenizer beside the weights, and folders with own code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from exported import BOTH, DECODER, ENCODER, HEADS, moved
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

import modelwright as mw
from modelwright.backends.huggingface import CheckpointError, ExportError, export_custom
from modelwright.backends.huggingface.spec_text import spec_text
from modelwright.cli import cli
from modelwright.spec import loads


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of a Llama with a tokenizer, defaults of generation and a file of its owner."""
    config = LlamaConfig(
        vocab_size=61, hidden_size=32, intermediate_size=40, num_hidden_layers=1,
        num_attention_heads=4, max_position_embeddings=64,
    )  # fmt: skip
    folder = tmp_path / "source"
    LlamaForCausalLM(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "notes.md"):
        (folder / name).write_text(name)
    (folder / "generation_config.json").write_text(json.dumps({"temperature": 0.6, "top_p": 0.9}))
    return folder


def exported(source: Path, out: Path, *more: str) -> None:
    spec = source.parent / "llama.yaml"
    spec.write_text(mw.backends.huggingface.import_folder(source))
    words = ["export", str(spec), "--weights", str(source), "-o", str(out), *more]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, result.stderr


@pytest.mark.parametrize("more", [(), ("--custom-code",)])
def test_the_tokenizer_of_the_weights_is_copied(
    source: Path, tmp_path: Path, more: tuple[str, ...], code_cache: None
) -> None:
    exported(source, tmp_path / "out", *more)
    copied = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja"} <= copied
    assert "notes.md" not in copied
    settings = json.loads((tmp_path / "out" / "generation_config.json").read_text())
    assert (settings["temperature"], settings["eos_token_id"]) == (0.6, 2)
    ids = torch.randint(3, 60, (2, 7))
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "out", trust_remote_code=True)
    assert torch.allclose(again(ids).logits, mw.from_pretrained(source)(ids), atol=1e-5)


def test_a_tokenizer_of_another_folder(source: Path, tmp_path: Path) -> None:
    out = export_custom(loads(DECODER), moved(DECODER), tmp_path / "out", tokenizer=source)
    assert (out / "tokenizer.json").read_text() == "tokenizer.json"
    with pytest.raises(ExportError, match=r"has no tokenizer.json"):
        export_custom(loads(DECODER), moved(DECODER), tmp_path / "b", tokenizer=tmp_path)


def test_weights_of_another_model_are_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"in the file, but .* in the spec"):
        mw.export(loads(DECODER), source, tmp_path / "out")


@pytest.mark.sampled(2)
@pytest.mark.parametrize("text", [DECODER, BOTH, *(ENCODER + head for head in HEADS.values())])
def test_a_folder_with_its_own_code_is_imported(text: str, tmp_path: Path) -> None:
    model = moved(text)
    out = export_custom(loads(text), model, tmp_path / "out")
    again = mw.from_pretrained(out)
    for name, weight in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], weight)
    assert CliRunner().invoke(cli, ["import", str(out), "-o", "-"]).exit_code == 0


def test_folders_that_were_saved_again_are_imported(tmp_path: Path, code_cache: None) -> None:
    """With another vocabulary, too: the library can resize the table of the tokens."""
    export_custom(loads(DECODER), moved(DECODER), tmp_path / "out")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out", trust_remote_code=True).eval()
    model.resize_token_embeddings(70)
    model.save_pretrained(tmp_path / "again")
    ids = torch.randint(4, 60, (2, 9))
    ours = mw.from_pretrained(tmp_path / "again")
    assert torch.allclose(ours(ids), model(ids).logits, atol=1e-5)
    assert ours(ids).shape[-1] == 70


def test_an_export_without_its_spec_is_refused(tmp_path: Path) -> None:
    out = export_custom(loads(DECODER), moved(DECODER), tmp_path / "out")
    config = json.loads((out / "config.json").read_text())
    del config["spec"]
    (out / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="`spec` is missing"):
        mw.from_pretrained(out)


EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))


@pytest.mark.sampled(24)
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_text_of_a_spec_is_the_spec(path: Path) -> None:
    spec = mw.load(path)
    again = loads(spec_text(spec))
    assert {**again.model_dump(), "family": None} == {**spec.model_dump(), "family": None}
