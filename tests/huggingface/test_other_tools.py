"""Folders that other tools wrote: adapters, sentence-transformers, MLX, GGUF, tied weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as tf
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

import modelwright as mw
from modelwright.backends.huggingface import CheckpointError, from_pretrained, import_folder

SIZES = {
    "vocab_size": 61, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4,
    "intermediate_size": 40, "max_position_embeddings": 40,
}  # fmt: skip
IDS = torch.tensor([[5, 9, 33, 7]])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    tf.LlamaForCausalLM(tf.LlamaConfig(**SIZES, tie_word_embeddings=True)).save_pretrained(tmp_path)
    return tmp_path


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def adapter(folder: Path) -> None:
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}))


def lone_gguf(folder: Path) -> None:
    (folder / "config.json").unlink()
    (folder / "model-q4.gguf").write_bytes(b"GGUF")


def parts(folder: Path) -> None:
    (folder / "0_Transformer").mkdir()
    (folder / "config.json").rename(folder / "0_Transformer" / "config.json")
    (folder / "modules.json").write_text("[]")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (adapter, "adapter_config.json: a PEFT adapter is not read: merge it into its base model"),
        (lone_gguf, "config.json is missing; model-q4.gguf is not read; convert it"),
        (parts, "config.json is missing; .* import that of the transformer, 0_Transformer"),
        (
            lambda at: change(at / "config.json", quantization={"group_size": 64, "bits": 4}),
            "`quantization: .* is not supported yet, only null: weights are quantized, as by MLX",
        ),
    ],
)
def test_refusals(edit: Callable[[Path], None], message: str, folder: Path) -> None:
    edit(folder)
    for read in (from_pretrained, import_folder):
        with pytest.raises(CheckpointError, match=message):
            read(folder)


def test_a_file_in_place_of_a_folder(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="not a folder"):
        import_folder(folder / "model.safetensors")


@pytest.mark.parametrize("names", [["lm_head"], ["model.embed_tokens", "lm_head"]])
def test_tied_weights_stored_under_another_name_or_twice(names: list[str], folder: Path) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    table = tensors.pop("model.embed_tokens.weight")
    save_file({**tensors, **{f"{name}.weight": table.clone() for name in names}}, path)
    theirs = tf.AutoModelForCausalLM.from_pretrained(folder).eval()
    with torch.no_grad():
        assert (mw.from_pretrained(folder)(IDS) - theirs(IDS).logits).abs().max() < 1e-5
    change(folder / "config.json", tie_word_embeddings=False)
    if len(names) == 1:
        with pytest.raises(CheckpointError, match="missing: embed_tokens"):
            from_pretrained(folder)


@pytest.mark.parametrize("text", ["[", "{}", "[1]", None])
def test_modules_after_the_model_are_named(text: str | None, folder: Path) -> None:
    before = import_folder(folder)
    kinds = ["Transformer", "Pooling", "Dense", "Normalize"]
    modules = [{"type": f"sentence_transformers.models.{kind}"} for kind in kinds]
    (folder / "modules.json").write_text(json.dumps(modules) if text is None else text)
    made = import_folder(folder)
    note = "Not imported from modules.json: Pooling, Dense, Normalize"
    comment = " ".join(line[2:] for line in made.splitlines() if line.startswith("# "))
    assert comment.endswith(note) if text is None else made == before


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}, " (mean_tokens)"),
        ({"pooling_mode": "lasttoken", "include_prompt": True}, " (lasttoken)"),
        ({"pooling_mode": ["max", "cls"]}, " (max and cls)"),
        ({"pooling_mode": 3, "include_prompt": True}, ""),
        ([], ""),
    ],
)
def test_the_pooling_of_sentences_is_named(config: Any, said: str, folder: Path) -> None:
    kind = "sentence_transformers.models.Pooling"
    (folder / "modules.json").write_text(json.dumps([{"type": kind, "path": "1_Pooling"}]))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(config))
    comment = " ".join(line[2:] for line in import_folder(folder).splitlines() if line[:2] == "# ")
    assert comment.endswith(f"Not imported from modules.json: Pooling{said}")


@pytest.mark.slow
@torch.no_grad()
def test_the_mean_of_imported_states_is_the_sentence_s_embedding(minilm: Path) -> None:
    from sentence_transformers import SentenceTransformer

    texts = ["A cat.", "A longer sentence, which the other two are padded to.", "No"]
    wanted = torch.as_tensor(SentenceTransformer(str(minilm), device="cpu").encode(texts))
    encoded = Tokenizer.from_file(str(minilm / "tokenizer.json")).encode_batch(texts)
    mask = torch.tensor([each.attention_mask for each in encoded])
    model = from_pretrained(minilm)
    states = model.hidden_states(torch.tensor([each.ids for each in encoded]), attention_mask=mask)
    mean = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    assert "Pooling (mean_tokens), Normalize" in import_folder(minilm).replace("\n# ", " ")
    assert (torch.nn.functional.normalize(mean, dim=-1) - wanted).abs().max() < 1e-6
