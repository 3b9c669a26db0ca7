"""Exported encoders, by their head; and models whose results have no Hugging Face class."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from exported import ENCODER, HEADS, LOADERS, exported, load, prompts

RESULTS = {"vectors": "pooler_output", "none": "last_hidden_state"}


@pytest.fixture
def make(tmp_path: Path, code_cache: None) -> Callable[[str], tuple[Any, Any, Path]]:
    """`make(head)`: our model, the exported one and its folder."""

    def made(head: str) -> tuple[Any, Any, Path]:
        folder = tmp_path / head
        ours = exported(f"{ENCODER}{HEADS[head]}\n", folder)
        return ours, load(folder, LOADERS[head]).eval(), folder

    return made


Make = Callable[[str], tuple[Any, Any, Path]]


@pytest.mark.parametrize("head", HEADS)
def test_results_equal_those_of_our_model(make: Make, head: str) -> None:
    ours, theirs, _ = make(head)
    given = prompts(padded=True)
    given["token_type_ids"] = given["input_ids"] % 2
    expected, made = ours(**given), theirs(**given)
    if head == "two":
        assert made.keys() == {"words", "kind"}
        assert all(torch.equal(made[name], expected[name]) for name in made)
    else:
        assert torch.equal(made[RESULTS.get(head, "logits")], expected)
    assert isinstance(theirs(**given, return_dict=False), tuple)


@pytest.mark.parametrize("head", ["masked", "tokens"])
def test_the_loss_equals_that_of_our_model(make: Make, head: str) -> None:
    ours, theirs, _ = make(head)
    given = prompts(padded=True)
    labels = (given["input_ids"] % 5).masked_fill(given["attention_mask"] == 0, -100)
    assert torch.equal(theirs(**given, labels=labels).loss, ours.loss(ours(**given), labels))


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        (torch.tensor([0, 2, 1]), "single_label_classification"),
        (torch.tensor([[1.0, 0, 1], [0, 0, 0], [0, 1, 1]]), "multi_label_classification"),
        (torch.tensor([[0.1, 2, 3], [0, 0, 5], [0, 1, 1]]), "regression"),
    ],
)
def test_what_labels_of_a_text_are_the_config_says(
    make: Make, labels: torch.Tensor, problem: str
) -> None:
    _, model, _ = make("sequences")
    model.config.problem_type = problem
    assert torch.isfinite(model(**prompts(), labels=labels).loss)


def test_trainer_trains_a_classifier(
    make: Make, tmp_path: Path, training: Callable[..., Any]
) -> None:
    _, model, _ = make("sequences")
    ids = prompts(16, 6)["input_ids"].tolist()
    data = [{"input_ids": row, "labels": row[0] % 3} for row in ids]
    trainer = transformers.Trainer(
        model, training(max_steps=5), train_dataset=data, eval_dataset=data
    )
    first = trainer.evaluate()["eval_loss"]
    trainer.train()
    assert trainer.evaluate()["eval_loss"] < first
    model.save_pretrained(tmp_path / "saved")
    again = load(tmp_path / "saved", LOADERS["sequences"])
    assert torch.equal(again(**prompts()).logits, model.eval()(**prompts()).logits)


def test_a_head_of_another_size_is_drawn_and_saved(make: Make, tmp_path: Path) -> None:
    _, _, folder = make("sequences")
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        folder, trust_remote_code=True, num_labels=7, ignore_mismatched_sizes=True
    )
    assert model(**prompts()).logits.shape == (3, 7)
    head = model.model.head.output
    assert 0 < head.weight.std() < 0.1
    assert not head.bias.any()
    model.save_pretrained(tmp_path / "seven")
    again = load(tmp_path / "seven", LOADERS["sequences"])
    assert torch.equal(again(**prompts()).logits, model.eval()(**prompts()).logits)
    assert again.config.num_labels == 7


def test_the_vocabulary_of_a_tied_head_with_a_bias_stays(make: Make) -> None:
    _, model, _ = make("masked")
    with pytest.raises(NotImplementedError, match="change vocab_size in the spec"):
        model.resize_token_embeddings(70)


def test_pipeline_gives_vectors(make: Make) -> None:
    """A headless encoder gives vectors through the pipeline that asks for them."""
    import tokenizers

    ours, model, _ = make("none")
    plain = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({"<pad>": 0, "a": 4, "b": 5}, unk_token="<pad>")
    )
    plain.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=plain, pad_token="<pad>")
    pipe = transformers.pipeline("feature-extraction", model=model, tokenizer=tokenizer)
    made = torch.tensor(pipe("a b a"))
    ids = torch.tensor([[4, 5, 4]])
    expected = ours(ids, token_type_ids=torch.zeros_like(ids))
    assert torch.allclose(made, expected, atol=1e-5)
