"""Exported encoder-decoders: generation, labels, training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
import transformers
from exported import BOTH, exported, load, prompts

LOADER = "AutoModelForSeq2SeqLM"
TIED = "input: {tied: encoder}"
NEW = 8


@pytest.fixture(scope="module", params=["own tables", "one table"])
def tables(request: pytest.FixtureRequest) -> str:
    """Has each stack a token table of its own, or the model one that both read?"""
    found: str = request.param
    return found


@pytest.fixture(scope="module")
def folder(tables: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("seq2seq") / tables.replace(" ", "_")  # 5.0 caches by name


@pytest.fixture(scope="module")
def pair(tables: str, folder: Path, code_cache: None) -> tuple[Any, Any]:
    """Our model, and the exported one."""
    text = BOTH if tables == "own tables" else BOTH.replace("layers: 2,", f"layers: 2, {TIED},")
    return exported(text, folder), load(folder, LOADER).eval()


@pytest.mark.parametrize("padded", [False, True])
def test_the_library_generates_the_tokens_of_our_model(pair: tuple[Any, Any], padded: bool) -> None:
    ours, theirs = pair
    given = prompts(padded=padded)
    expected = ours.generate(given["input_ids"], NEW, given["attention_mask"], temperature=0)
    for cached in (True, False):
        made = theirs.generate(**given, max_new_tokens=NEW, do_sample=False, use_cache=cached)
        assert torch.equal(made, expected)


def test_beam_search_does_not_depend_on_the_cache(pair: tuple[Any, Any]) -> None:
    made = [
        pair[1].generate(
            **prompts(padded=True), max_new_tokens=NEW, num_beams=4, do_sample=False,
            use_cache=cached,
        )
        for cached in (True, False)
    ]  # fmt: skip
    assert torch.equal(*made)


def test_labels_are_read_one_place_later(pair: tuple[Any, Any]) -> None:
    ours, theirs = pair
    given, labels = prompts(padded=True), prompts(3, 5)["input_ids"].clone()
    labels[0, 3:] = -100
    shifted = theirs.prepare_decoder_input_ids_from_labels(labels)
    assert shifted[0].tolist() == [3, *labels[0, :3].tolist(), 0]
    made = theirs(**given, labels=labels)
    logits = ours(given["input_ids"], shifted, given["attention_mask"])
    assert torch.equal(made.logits, logits)
    assert torch.equal(made.loss, ours.loss(logits, labels))
    embed = getattr(ours, "token_embedding", lambda ids: ids)
    memory = ours.encoder(embed(given["input_ids"]), given["attention_mask"])
    assert torch.equal(made.encoder_last_hidden_state, memory)
    assert torch.equal(theirs.get_encoder()(**given).last_hidden_state, memory)
    assert torch.equal(
        theirs(encoder_outputs=(memory,), attention_mask=given["attention_mask"],
               decoder_input_ids=shifted).logits,
        logits,
    )  # fmt: skip


def test_it_needs_something_to_decode(pair: tuple[Any, Any]) -> None:
    with pytest.raises(
        ValueError, match="decoder_input_ids, decoder_inputs_embeds or labels are needed"
    ):
        pair[1](**prompts())


def test_trainer_trains_and_what_it_saves_loads_again(
    pair: tuple[Any, Any], folder: Path, tmp_path: Path, training: Callable[..., Any]
) -> None:
    model = load(folder, LOADER)
    ids = prompts(16, 6)["input_ids"].tolist()
    data = [{"input_ids": row, "labels": row[::-1]} for row in ids]
    arguments = transformers.Seq2SeqTrainingArguments(
        **{
            name: getattr(training(max_steps=5), name)
            for name in ("output_dir", "max_steps", "use_cpu", "report_to", "learning_rate")
        },
        predict_with_generate=True,
        disable_tqdm=True,
        save_strategy="no",
    )
    trainer = transformers.Seq2SeqTrainer(
        model, arguments, train_dataset=data, eval_dataset=data[:4]
    )
    first = trainer.evaluate()["eval_loss"]
    trainer.train()
    assert trainer.evaluate()["eval_loss"] < first
    saved = tmp_path / f"{folder.name}_saved"
    trainer.save_model(str(saved))
    again, given = load(saved, LOADER), prompts(padded=True)
    made = [one.eval().generate(**given, max_new_tokens=NEW) for one in (model, again)]
    assert torch.equal(*made)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_lora_step(pair: tuple[Any, Any], folder: Path) -> None:
    config = peft.LoraConfig(task_type="SEQ_2_SEQ_LM", target_modules=["query", "value"], r=2)
    adapted = peft.get_peft_model(load(folder, LOADER), config)
    given = prompts()
    adapted(**given, labels=given["input_ids"]).loss.backward()
    grown = [name for name, x in adapted.named_parameters() if x.grad is not None and x.grad.any()]
    assert any("encoder.layers.0" in name for name in grown)
    assert any("cross_attention" in name for name in grown)
    assert adapted.generate(**given, max_new_tokens=3).size(0) == 3
