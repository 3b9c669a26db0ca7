"""Decoders whose config says that they attend in both directions, as embedding models do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from test_huggingface_decoders import IDS, wanted
from tiny_decoders import DECODERS, GROUPED

import modelwright as mw
from modelwright.backends.checkpoint_errors import CheckpointError
from modelwright.backends.huggingface import FAMILIES, import_folder
from modelwright.backends.huggingface.bidirectional import CAUSAL_ONLY

from perturb import perturb, relative_error  # isort: skip (its folder is put on the path above)

OFF = {"is_causal": False}
LAYERS = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 5}
GEMMA = {**GROUPED, "head_dim": 8, **LAYERS}
MIXTURE = {**GROUPED, "num_local_experts": 4, "num_experts_per_tok": 2}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "gte-Qwen2": ("Qwen2ForCausalLM", GROUPED | OFF),
    "qwen2 window": (
        "Qwen2Model", GROUPED | OFF | {**LAYERS, "use_sliding_window": True, "max_window_layers": 1}
    ),
    "mistral window": ("MistralModel", GROUPED | OFF | {"sliding_window": 5}),
    "llama classes": ("LlamaForSequenceClassification", GROUPED | OFF | {"pad_token_id": 0}),
    "mixtral": ("MixtralModel", MIXTURE | OFF),
    "embeddinggemma": ("Gemma3TextModel", GEMMA | {"use_bidirectional_attention": True}),
    "embeddinggemma odd": (
        "Gemma3TextModel", GEMMA | {"use_bidirectional_attention": True, "sliding_window": 6}
    ),
    "gemma3 is_causal": ("Gemma3TextModel", GEMMA | OFF),
    **{
        case: (name, changes | OFF)
        for case, (name, changes) in DECODERS.items()
        if case in ("gpt2", "phi", "olmo", "ctrl", "gptj", "opt", "granite", "cohere2", "exaone4")
    },
}  # fmt: skip


def saved(case: str, folder: Path) -> Any:
    """The library's model of a case with changed weights, saved in a folder."""
    name, changes = CASES[case]
    model = getattr(transformers, name)
    config = getattr(transformers, changes.get("config", model.config_class.__name__))
    torch.manual_seed(1)
    theirs = perturb(model(config(**{k: v for k, v in changes.items() if k != "config"})).eval())
    theirs.save_pretrained(folder)
    return theirs


@pytest.mark.sampled(4)
@torch.no_grad()
@pytest.mark.parametrize("case", CASES)
def test_the_results_are_the_library_s(case: str, tmp_path: Path) -> None:
    theirs = saved(case, tmp_path / "m")
    ours = mw.from_pretrained(tmp_path / "m")
    assert "encoder-only" in import_folder(tmp_path / "m")
    assert relative_error(ours(IDS), wanted(theirs(IDS))) < 2e-5
    mask = torch.ones_like(IDS)
    mask[0, :4] = 0
    found, expected = ours(IDS, attention_mask=mask), wanted(theirs(IDS, attention_mask=mask))
    if expected.ndim == 3:
        found, expected = found[mask.bool()], expected[mask.bool()]
    assert relative_error(found, expected) < 2e-5


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("BloomForCausalLM", OFF, "ALiBi of the library then depends on the position of the key"),
        ("GPTNeoForCausalLM", OFF, "has no effect in the library, where this model type is always"),
        ("StableLmForCausalLM", OFF, "only batches with padding then attend in both directions"),
        ("MiniMaxForCausalLM", OFF, "lightning attention is causal"),
        ("Llama4ForCausalLM", OFF, r"not supported with the mask `causal & blocks\(8192\)`"),
        ("BartForConditionalGeneration", OFF, "`is_causal: false` is not supported yet, only true"),
        ("GemmaForCausalLM", {"use_bidirectional_attention": True}, "depends on padding and"),
        ("Gemma2ForCausalLM", {"use_bidirectional_attention": True}, "depends on padding and"),
        ("Gemma3TextModel", {"use_bidirectional_attention": True, **OFF}, "beside `use_bidir"),
        ("LlamaModel", {"token_classification_bias": False}, "have a bias here"),
    ],
)
def test_refusals(name: str, changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    config = getattr(transformers, name).config_class(**changes)
    config.architectures = [name]
    config.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=message):
        import_folder(tmp_path)


def test_what_holds_anyway_is_accepted(tmp_path: Path) -> None:
    """A decoder that says that it is causal, and an encoder that says that it is not."""
    for name, said in (("LlamaModel", True), ("BertModel", False)):
        config = getattr(transformers, name).config_class()
        config.architectures = [name]
        config.save_pretrained(tmp_path)
        plain = import_folder(tmp_path)
        config.is_causal = said
        config.save_pretrained(tmp_path)
        assert import_folder(tmp_path) == plain
    assert FAMILIES.keys() >= CAUSAL_ONLY.keys()
