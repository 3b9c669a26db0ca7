"""Special token ids: several that end a text, and those of generation_config.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from exported import DECODER, moved
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

import modelwright as mw
from modelwright.backends.huggingface import CheckpointError, export_custom, import_folder
from modelwright.spec import SpecErrors, loads


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny Llama that ends a text with 2 or 5."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=61,
        hidden_size=32,
        intermediate_size=40,
        num_hidden_layers=1,
        num_attention_heads=4,
        max_position_embeddings=64,
        eos_token_id=[2, 5],
    )
    model = LlamaForCausalLM(config)
    model.save_pretrained(tmp_path / "llama")
    (tmp_path / "llama" / "generation_config.json").unlink()
    return tmp_path / "llama"


def tokens(text: str) -> Any:
    return loads(text).tokens


def test_a_list_is_kept(folder: Path) -> None:
    text = import_folder(folder)
    assert "tokens: {bos: 1, eos: [2, 5]}" in text
    assert tokens(text).eos == (2, 5)


def generation(folder: Path, **keys: Any) -> None:
    (folder / "generation_config.json").write_text(json.dumps(keys))


def test_generation_config_wins(folder: Path) -> None:
    generation(folder, eos_token_id=[7, 8, 200], bos_token_id=3, pad_token_id=0)
    found = tokens(import_folder(folder))
    assert (found.eos, found.bos, found.pad) == ((7, 8), 3, 0)  # the vocabulary has no 200


def test_what_generation_config_lacks_stays(folder: Path) -> None:
    generation(folder, temperature=0.6)
    assert tokens(import_folder(folder)).eos == (2, 5)


def test_a_wrong_generation_config_is_named(folder: Path) -> None:
    generation(folder, eos_token_id="</s>")
    with pytest.raises(CheckpointError, match=r"generation_config.json: `eos_token_id` must be"):
        import_folder(folder)
    (folder / "generation_config.json").write_text("[")
    with pytest.raises(CheckpointError, match=r"generation_config.json: not valid JSON"):
        import_folder(folder)


def test_export_writes_both_files(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "llama.yaml").write_text(import_folder(folder))
    out = mw.export(tmp_path / "llama.yaml", mw.from_pretrained(folder), tmp_path / "out")
    for name in ("config.json", "generation_config.json"):
        assert json.loads((out / name).read_text())["eos_token_id"] == [2, 5]
    assert AutoModelForCausalLM.from_pretrained(out).generation_config.eos_token_id == [2, 5]


def test_custom_code_has_both(tmp_path: Path, code_cache: None) -> None:
    text = DECODER.replace("eos: 2", "eos: [2, 5]")
    out = export_custom(loads(text), moved(text), tmp_path / "out")
    model = AutoModelForCausalLM.from_pretrained(out, trust_remote_code=True)
    assert model.config.eos_token_id == model.generation_config.eos_token_id == [2, 5]


def test_generation_stops_at_any_of_them(folder: Path) -> None:
    """As in the library: the second id of the list is the token that the model says next."""
    model = mw.from_pretrained(folder)
    prompt = torch.tensor([[3, 4, 6]])
    said = int(model.generate(prompt, 1, temperature=0)[0, 3])
    generation(folder, eos_token_id=[0, said])
    expected = AutoModelForCausalLM.from_pretrained(folder).generate(
        prompt, max_new_tokens=9, do_sample=False, pad_token_id=0
    )
    assert expected.shape == (1, 4)
    assert mw.from_pretrained(folder).generate(prompt, 9, temperature=0).tolist() == (
        expected.tolist()
    )


@pytest.mark.parametrize(
    "eos, words",
    [("[2, 2]", "a list of different token ids"), ("[]", "or a list of them"), ("[2, 61]", "61")],
)
def test_wrong_lists(eos: str, words: str) -> None:
    with pytest.raises(SpecErrors) as error:
        loads(DECODER.replace("eos: 2", f"eos: {eos}"))
    assert words in str(error.value)
