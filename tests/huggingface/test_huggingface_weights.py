"""Imported models compute what `transformers` computes, and nothing is left random."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor

import modelwright as mw
from modelwright.backends.huggingface import CheckpointError, from_pretrained, import_folder

Checkpoint = Callable[..., tuple[Path, Any]]


def sentences() -> list[str]:
    """A hundred pieces of a real English text, of one to a hundred words."""
    from pydoc_data.topics import topics

    words = " ".join(topics.values()).split()
    return [" ".join(words[200 * n : 200 * n + n]) for n in range(1, 101)]


def batch() -> tuple[Tensor, Tensor, Tensor]:
    """Ids, mask (padded on both sides) and token types."""
    ids = torch.randint(0, 40, (3, 11), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[1, 7:] = 0
    mask[2, :3] = 0
    return ids, mask, (ids % 2)


def relative(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max())


def test_real_sentences_in_a_padded_batch(minilm: Path) -> None:
    """all-MiniLM-L6-v2 with its own tokenizer."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    tokenizer.enable_padding(length=None)
    encoded = tokenizer.encode_batch(sentences())
    ids = torch.tensor([each.ids for each in encoded])
    mask = torch.tensor([each.attention_mask for each in encoded])
    assert len(ids) == 100
    assert 0 < mask.float().mean() < 0.9
    assert len(set(mask.sum(-1).tolist())) > 40
    theirs = transformers.BertModel.from_pretrained(minilm, attn_implementation="sdpa").eval()
    model = from_pretrained(minilm)
    with torch.no_grad():
        wanted = theirs(ids, attention_mask=mask)
        states = model.hidden_states(ids, attention_mask=mask)
        pooled = model(ids[:10], attention_mask=mask[:10])
    real = mask.bool()
    assert relative(states[real], wanted.last_hidden_state[real]) < 2e-5
    assert relative(pooled, wanted.pooler_output[:10]) < 2e-5


RESULTS: dict[str, Callable[[Any], Any]] = {
    "BertModel": lambda result: result.pooler_output,
    "BertForMaskedLM": lambda result: result.logits,
    "BertForPreTraining": lambda result: (result.prediction_logits, result.seq_relationship_logits),
    "BertForSequenceClassification": lambda result: result.logits,
    "BertForTokenClassification": lambda result: result.logits,
    "BertForQuestionAnswering": lambda result: torch.stack(
        (result.start_logits, result.end_logits), -1
    ),
}


def tensors_of(result: Any) -> list[Tensor]:
    """One head gives a tensor, several a mapping or a tuple of them."""
    if isinstance(result, Tensor):
        return [result]
    return list(result.values() if isinstance(result, dict) else result)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("changes", [{}, {"hidden_act": "gelu_new", "type_vocab_size": 3}])
@pytest.mark.parametrize("name", RESULTS)
def test_every_class_gives_equal_results(
    checkpoint: Checkpoint, name: str, changes: dict[str, Any]
) -> None:
    folder, theirs = checkpoint(name, **changes)
    ids, mask, types = batch()
    model = from_pretrained(folder)
    with torch.no_grad():
        wanted = RESULTS[name](theirs(ids, attention_mask=mask, token_type_ids=types))
        given = model(ids, attention_mask=mask, token_type_ids=types)
    for ours, right in zip(tensors_of(given), tensors_of(wanted), strict=True):
        assert ours.shape == right.shape
        assert relative(ours, right) < 2e-5


def test_as_many_classes_as_labels(checkpoint: Checkpoint) -> None:
    folder, theirs = checkpoint("BertForSequenceClassification", num_labels=5)
    ids, mask, _ = batch()
    with torch.no_grad():
        wanted = theirs(ids, attention_mask=mask).logits
        assert wanted.shape == (3, 5)
        assert relative(from_pretrained(folder)(ids, attention_mask=mask), wanted) < 2e-5


def test_a_bare_model_without_a_pooler_gives_hidden_states(checkpoint: Checkpoint) -> None:
    folder, theirs = checkpoint("BertModel")
    path = folder / "model.safetensors"
    kept = {n: t for n, t in load_file(path).items() if not n.startswith("pooler.")}
    save_file(kept, path)
    assert "head:" not in import_folder(folder)
    ids, mask, _ = batch()
    with torch.no_grad():
        wanted = theirs(ids, attention_mask=mask).last_hidden_state
        assert relative(from_pretrained(folder)(ids, attention_mask=mask), wanted) < 2e-5


def test_prefix_old_endings_and_unused_tensors(checkpoint: Checkpoint) -> None:
    folder, theirs = checkpoint("BertModel")
    path = folder / "model.safetensors"
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    stored = {}
    for name, tensor in load_file(path).items():
        for today, then in old.items():
            name = name.replace(today, then)
        stored[f"bert.{name}"] = tensor
    stored["bert.embeddings.position_ids"] = torch.arange(20)[None]
    save_file(stored, path)
    ids, mask, _ = batch()
    with torch.no_grad():
        wanted = theirs(ids, attention_mask=mask).pooler_output
        assert relative(from_pretrained(folder)(ids, attention_mask=mask), wanted) < 2e-5


def test_dtype_and_mode(checkpoint: Checkpoint) -> None:
    folder, _ = checkpoint("BertModel")
    model = from_pretrained(folder, device="cpu", dtype="bfloat16")
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
    assert not any(module.training for module in model.modules())
    assert all(weight.requires_grad for weight in model.parameters())


def test_the_public_name(checkpoint: Checkpoint) -> None:
    folder, _ = checkpoint("BertModel")
    assert mw.from_pretrained(folder).config.d_model == 32


def problems_of(folder: Path) -> list[str]:
    with pytest.raises(CheckpointError) as caught:
        from_pretrained(folder)
    return list(caught.value.problems)


def test_all_mismatches_are_listed_with_both_names(checkpoint: Checkpoint) -> None:
    folder, _ = checkpoint("BertModel")
    path = folder / "model.safetensors"
    tensors = load_file(path)
    del tensors["encoder.layer.1.attention.self.query.weight"]
    tensors["pooler.dense.bias"] = torch.zeros(7)
    tensors["encoder.layer.2.output.dense.bias"] = torch.zeros(32)
    tensors["adapter.weight"] = torch.zeros(3)
    save_file(tensors, path)
    assert sorted(problems_of(folder)) == [
        "missing: encoder.layer.1.attention.self.query.weight (32, 32) "
        "(in the spec: layers.1.attention.query.weight)",
        "shape of pooler.dense.bias: (7,) in the file, but (32,) in the model (head.dense.bias)",
        "unexpected: adapter.weight (3,), which is unknown",
        "unexpected: encoder.layer.2.output.dense.bias (32,), "
        "which corresponds to layers.2.feed_forward.down.bias",
    ]


def test_a_tied_copy_that_differs(checkpoint: Checkpoint) -> None:
    folder, _ = checkpoint("BertForMaskedLM")
    path = folder / "model.safetensors"
    tensors = load_file(path)
    table = tensors["bert.embeddings.word_embeddings.weight"]
    save_file({**tensors, "cls.predictions.decoder.weight": table.clone()}, path)
    assert "tied: true" in import_folder(folder)
    from_pretrained(folder)
    save_file({**tensors, "cls.predictions.decoder.weight": table + 1}, path)
    assert "tied: true" not in import_folder(folder)
    assert from_pretrained(folder).state_dict()["head.output.weight"].equal(table + 1)
    save_file({**tensors, "cls.predictions.decoder.bias": torch.ones(40)}, path)
    theirs = transformers.BertForMaskedLM.from_pretrained(folder).state_dict()
    assert theirs["cls.predictions.decoder.bias"].equal(torch.ones(40))
    assert from_pretrained(folder).state_dict()["head.bias"].equal(torch.ones(40))


def test_a_duplicate_tensor(checkpoint: Checkpoint) -> None:
    folder, _ = checkpoint("BertModel")
    path = folder / "model.safetensors"
    tensors = load_file(path)
    save_file({**tensors, "bert.pooler.dense.bias": torch.zeros(32)}, path)
    assert problems_of(folder) == ["some tensors occur twice, with and without the prefix `bert.`"]


@pytest.mark.parametrize("kept", [0, 7, 2000, -10])
def test_a_truncated_file(checkpoint: Checkpoint, kept: int) -> None:
    folder, _ = checkpoint("BertModel")
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    (problem,) = problems_of(folder)
    assert problem.startswith("not a valid safetensors file: ")


def test_a_folder_without_weights(checkpoint: Checkpoint) -> None:
    folder, _ = checkpoint("BertModel")
    (folder / "model.safetensors").unlink()
    assert problems_of(folder) == ["model.safetensors is missing"]
    assert "head: {type: projection" in import_folder(folder)  # the spec needs no weights


def test_the_error_can_be_pickled() -> None:
    error = CheckpointError("folder", ["one", "two"])
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.problems) == (str(error), error.problems)
    assert str(error) == "folder: one\nfolder: two"
