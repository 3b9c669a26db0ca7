"""Tiny models of sounds, read back from the library's files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import GenerationConfig, GenerationMixin

import modelwright as mw
from modelwright.backends.huggingface import export, import_folder

sys.path.insert(0, str(Path(__file__).parents[1] / "parity"))

from perturb import perturb, relative_error

WHISPER: dict[str, Any] = {
    "vocab_size": 40,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 40,
    "num_mel_bins": 5,
    "max_source_positions": 12,
    "max_target_positions": 20,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "decoder_start_token_id": 3,
}
MODELS = {
    "whisper": WHISPER,
    "whisper with another activation": {**WHISPER, "activation_function": "relu"},
    "whisper untied": {**WHISPER, "scale_embedding": True, "tie_word_embeddings": False},
}


def tiny(case: str, folder: Path) -> Any:
    torch.manual_seed(0)
    made = transformers.WhisperForConditionalGeneration(transformers.WhisperConfig(**MODELS[case]))
    theirs: Any = perturb(made.eval())
    theirs.save_pretrained(folder)
    return theirs


@torch.no_grad()
@pytest.mark.parametrize("case", MODELS)
def test_whisper_says_what_the_library_s_says(case: str, tmp_path: Path) -> None:
    """Its logits and its greedy answer; and it is exported as the class that it came from."""
    theirs = tiny(case, tmp_path / "theirs")
    ours = mw.from_pretrained(tmp_path / "theirs")
    sound, ids = torch.randn(2, 5, 24), torch.randint(4, 39, (2, 7))
    wanted = theirs(input_features=sound, decoder_input_ids=ids).logits
    assert relative_error(ours(sound, ids), wanted) < 2e-5

    plain = GenerationConfig(
        max_new_tokens=8, do_sample=False, decoder_start_token_id=3, pad_token_id=1
    )
    made = GenerationMixin.generate(theirs, inputs=sound, generation_config=plain)
    assert torch.equal(ours.generate(sound, 8, temperature=0, eos_token_id=-1), made)

    spec = mw.loads(import_folder(tmp_path / "theirs"))
    written = export(spec, ours, tmp_path / "exported")
    again = transformers.WhisperForConditionalGeneration.from_pretrained(written).eval()
    assert torch.equal(again(input_features=sound, decoder_input_ids=ids).logits, wanted)
