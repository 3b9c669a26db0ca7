"""Published checkpoints that were refused or gave wrong results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as tf
from small import LLAMA

import modelwright as mw
from modelwright.backends.huggingface import CheckpointError

TEXT = {"model_type": "clip_text_model", "tie_word_embeddings": True}
VISION = {"model_type": "clip_vision_model", "tie_word_embeddings": True}
ACCEPTED: dict[str, dict[str, Any]] = {
    "CLIPModel": {"model_type": "clip", "text_config": TEXT, "vision_config": VISION},
    "BartForConditionalGeneration": {"model_type": "bart", "_num_labels": 3},
    "BartForSequenceClassification": {"model_type": "bart", "_num_labels": 3},
    "EsmForMaskedLM": {
        "model_type": "esm", "position_embedding_type": "rotary", "token_dropout": True,
        "vocab_size": 33, "pad_token_id": 1, "mask_token_id": 32,
    },
    "PhiMoEForCausalLM": {"model_type": "phimoe", "hidden_dropout": 0.0},
    "BigBirdForPreTraining": {"model_type": "big_bird"},
    "ElectraForPreTraining": {"model_type": "electra"},
    "Wav2Vec2ForPreTraining": {"model_type": "wav2vec2"},
    "T5EncoderModel": {"model_type": "t5", "feed_forward_proj": "gated-gelu"},
    "ModernBertForSequenceClassification": {"model_type": "modernbert"},
    "DebertaV2ForSequenceClassification": {"model_type": "deberta-v2"},
    "SiglipModel": {
        "model_type": "siglip", "text_config": {"model_type": "siglip_text_model"},
        "vision_config": {"model_type": "siglip_vision_model"},
    },
}  # fmt: skip
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "LongformerForQuestionAnswering": (
        {"model_type": "longformer"},
        "sets global attention on the first token or the question",
    ),
}  # fmt: skip


def refusal(folder: Path, name: str, config: dict[str, Any]) -> str:
    (folder / "config.json").write_text(json.dumps({"architectures": [name], **config}))
    with pytest.raises(CheckpointError) as caught:
        mw.from_pretrained(folder)
    return str(caught.value)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", ACCEPTED)
def test_the_config_is_read(tmp_path: Path, name: str) -> None:
    assert refusal(tmp_path, name, ACCEPTED[name]).endswith("model.safetensors is missing")


@pytest.mark.parametrize("name", REFUSED)
def test_a_reason_is_given_before_weights_are_read(tmp_path: Path, name: str) -> None:
    config, reason = REFUSED[name]
    assert reason in refusal(tmp_path, name, config)


def test_rotary_positions_go_on_past_their_maximum(tmp_path: Path) -> None:
    config = tf.LlamaConfig(**{**LLAMA, "max_position_embeddings": 16})
    theirs = tf.LlamaForCausalLM(config).eval()
    theirs.save_pretrained(tmp_path)
    ids = torch.randint(3, 19, (1, 24))
    found = mw.from_pretrained(tmp_path)(ids)
    assert torch.allclose(found, theirs(ids).logits, atol=1e-5)


def test_images_of_another_size_are_refused_in_words(tmp_path: Path) -> None:
    """The library resamples its table of positions; a compiled model has one size."""
    config = tf.Dinov2Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=70, patch_size=14
    )
    tf.Dinov2Model(config).save_pretrained(tmp_path)
    model = mw.from_pretrained(tmp_path)
    assert model(torch.randn(1, 3, 70, 70)).shape == (1, 26, 32)
    with pytest.raises(ValueError, match=r"\(B, 3, 70, 70\), not \(1, 3, 42, 42\)"):
        model(torch.randn(1, 3, 42, 42))
