"""Tiny audio models, imported from files of the library."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import GenerationConfig, GenerationMixin

import modelwright as mw
from modelwright.backends.huggingface import CheckpointError, export, import_folder

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

WAVES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "conv_dim": [8, 12, 12],
    "conv_kernel": [6, 3, 2],
    "conv_stride": [4, 2, 1],
    "num_feat_extract_layers": 3,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 4,
    "vocab_size": 20,
    "num_labels": 5,
    "classifier_proj_size": 10,
    "mask_time_prob": 0.0,
}
LARGE = {"do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True}
WAVEFORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "wav2vec2": ("Wav2Vec2Model", {"feat_extract_activation": "relu"}),
    "wav2vec2 large": ("Wav2Vec2Model", {**LARGE, "num_conv_pos_embeddings": 7}),
    "wav2vec2 letters": ("Wav2Vec2ForCTC", {}),
    "wav2vec2 classes": ("Wav2Vec2ForSequenceClassification", {}),
    "wav2vec2 frames": ("Wav2Vec2ForAudioFrameClassification", LARGE),
    "hubert": ("HubertModel", {"feat_proj_layer_norm": False}),
    "hubert letters": ("HubertForCTC", {}),
    "unispeech": ("UniSpeechModel", {}),
    "unispeech-sat": ("UniSpeechSatModel", LARGE),
}
SPEECH: dict[str, Any] = {
    "vocab_size": 40,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 40,
    "conv_channels": 24,
    "input_feat_per_channel": 6,
}
SPEECHES: dict[str, tuple[str, dict[str, Any]]] = {
    "speech to text": ("Speech2TextForConditionalGeneration", {}),
    "three convolutions": (
        "Speech2TextForConditionalGeneration",
        {"conv_kernel_sizes": [3, 5, 7], "num_conv_layers": 3, "scale_embedding": False},
    ),
    "padding of id 0": (
        "Speech2TextForConditionalGeneration",
        {"pad_token_id": 0, "bos_token_id": 1},
    ),
    "speech to vectors": ("Speech2TextModel", {"activation_function": "gelu"}),
}


def tiny(case: str, folder: Path) -> Any:
    return saved("WhisperForConditionalGeneration", MODELS[case], folder)


def saved(name: str, options: dict[str, Any], folder: Path) -> Any:
    torch.manual_seed(0)
    kind: Any = getattr(transformers, name)
    theirs: Any = perturb(kind(kind.config_class(**options)).eval())
    theirs.save_pretrained(folder)
    return theirs


def exported(folder: Path, ours: Any) -> Any:
    """The folder imported, exported, and loaded by the class of the library that it names."""
    written = export(mw.loads(import_folder(folder)), ours, folder / "exported")
    (name,) = json.loads((written / "config.json").read_text())["architectures"]
    again, told = getattr(transformers, name).from_pretrained(written, output_loading_info=True)
    assert not any(told.values()), told
    return again.eval()


@pytest.mark.sampled(2)
@torch.no_grad()
@pytest.mark.parametrize("case", WAVEFORMS)
def test_what_reads_waveforms_gives_what_the_library_s_gives(case: str, tmp_path: Path) -> None:
    """The weights of its convolution over positions are lengths and directions in the file."""
    name, options = WAVEFORMS[case]
    theirs = saved(name, {**WAVES, **options}, tmp_path)
    ours, sound = mw.from_pretrained(tmp_path), torch.randn(2, 151)
    wanted = theirs(sound)[0]
    assert relative_error(ours(sound), wanted) < 2e-5
    assert relative_error(exported(tmp_path, ours)(sound)[0], wanted) < 2e-6


def test_weights_by_their_older_names(tmp_path: Path) -> None:
    saved("Wav2Vec2Model", WAVES, tmp_path)
    place = tmp_path / "model.safetensors"
    before = mw.from_pretrained(tmp_path).state_dict()
    renamed = {
        name.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): tensor
        for name, tensor in load_file(place).items()
    }
    assert renamed.keys() != load_file(place).keys()
    save_file(renamed, place)
    after = mw.from_pretrained(tmp_path).state_dict()
    assert all(after[name].equal(tensor) for name, tensor in before.items())


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"feat_extract_norm": "batch"}, "`feat_extract_norm: batch` is not supported"),
        ({"conv_dim": [8, 12]}, "`conv_dim`, `conv_kernel` and `conv_stride` differ in length"),
        ({"layer_norm_eps": 1e-6}, "`layer_norm_eps: 1e-06` is not supported; known: 1e-05"),
        ({"adapter_attn_dim": 16}, "`adapter_attn_dim: 16` is not supported yet, only null"),
    ],
)
def test_unsupported_stems_are_refused(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    saved("Wav2Vec2Model", WAVES, tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(CheckpointError) as caught:
        import_folder(tmp_path)
    assert said in str(caught.value)


@torch.no_grad()
@pytest.mark.parametrize("case", SPEECHES)
def test_speech_becomes_the_text_of_the_library_s(case: str, tmp_path: Path) -> None:
    name, options = SPEECHES[case]
    theirs = saved(name, {**SPEECH, **options}, tmp_path)
    ours, sound = mw.from_pretrained(tmp_path), torch.randn(2, 41, 6)
    asked = {"input_features": sound, "decoder_input_ids": torch.randint(4, 39, (2, 7))}
    wanted = theirs(**asked)[0]
    assert relative_error(ours(*asked.values()), wanted) < 2e-5
    assert relative_error(exported(tmp_path, ours)(**asked)[0], wanted) < 2e-6


@torch.no_grad()
@pytest.mark.parametrize("case", MODELS)
def test_whisper_generates_the_tokens_of_the_library(case: str, tmp_path: Path) -> None:
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
    assert torch.equal(ours.generate(sound, 8, temperature=0, eos_token_id=None), made)

    spec = mw.loads(import_folder(tmp_path / "theirs"))
    written = export(spec, ours, tmp_path / "exported")
    again = transformers.WhisperForConditionalGeneration.from_pretrained(written).eval()
    assert torch.equal(again(input_features=sound, decoder_input_ids=ids).logits, wanted)
