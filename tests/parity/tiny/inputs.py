"""Inputs of a tiny model: random tokens, images or audio, with the library's argument names."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor, nn

from .cases import Case
from .sizes import ORDINARY

ROWS, LENGTH, ANSWER = 2, 16, 12
Data = dict[str, Any]


def tokens(generator: Generator, *shape: int) -> Tensor:
    """Ordinary tokens of this shape."""
    return torch.randint(ORDINARY.start, ORDINARY.stop, shape, generator=generator)


def questions(model: nn.Module, case: Case, seed: int = 2) -> Data:
    """The arguments of `model.forward` for two rows."""
    generator = torch.Generator().manual_seed(seed)
    known = inspect.signature(model.forward).parameters
    config: Any = model.config
    special = SPECIAL_INPUTS.get(str(case)) or SPECIAL_INPUTS.get(case.model_type)
    if special is not None:
        return special(config, generator)
    if "input_ids" not in known and "pixel_values" in known:
        return images(config, generator)
    data: Data = {"input_ids": tokens(generator, ROWS, LENGTH)}
    if getattr(config, "is_encoder_decoder", False) and "decoder_input_ids" in known:
        data["decoder_input_ids"] = tokens(generator, ROWS, ANSWER)
    return data


def images(config: Any, generator: Generator) -> Data:
    """Images (B, C, H, W) of the size that the config names, or 32 × 32."""
    size = getattr(config, "image_size", None)
    size = getattr(getattr(config, "vision_config", None), "image_size", size) or 32
    height, width = (size, size) if isinstance(size, int) else size
    channels = getattr(config, "num_channels", None) or 3
    return {"pixel_values": torch.randn(ROWS, channels, height, width, generator=generator)}


def _texts_and_images(config: Any, generator: Generator) -> Data:
    """Texts end in their largest id, where CLIP pools them."""
    ids = tokens(generator, ROWS, LENGTH)
    ids[:, -1] = config.text_config.vocab_size - 1
    return {"input_ids": ids, **images(config, generator)}


def _codebooks(config: Any, generator: Generator) -> Data:
    return {"input_ids": tokens(generator, ROWS * config.num_codebooks, LENGTH)}


def _without_cache(config: Any, generator: Generator) -> Data:
    return {"input_ids": tokens(generator, ROWS, LENGTH), "use_cache": False}


def _translation(config: Any, generator: Generator) -> Data:
    """The decoder of FSMT sees the future where it keeps a cache."""
    answer = tokens(generator, ROWS, ANSWER)
    return {**_without_cache(config, generator), "decoder_input_ids": answer}


def _speech_and_text(config: Any, generator: Generator) -> Data:
    sound = (ROWS, config.audio_config.num_mel_bins, LENGTH * 8)
    return {
        "input_ids": tokens(generator, ROWS, LENGTH),
        "input_features": torch.randn(*sound, generator=generator),
    }


def _spectrogram(config: Any, generator: Generator) -> Data:
    sound = (ROWS, config.num_mel_bins, 2 * config.max_source_positions)
    return {
        "input_features": torch.randn(*sound, generator=generator),
        "decoder_input_ids": tokens(generator, ROWS, ANSWER),
    }


def _frames(config: Any, generator: Generator) -> Data:
    sound = (ROWS, config.max_length, config.num_mel_bins)
    return {"input_values": torch.randn(*sound, generator=generator)}


def _patches(config: Any, generator: Generator) -> Data:
    vision = config.vision_config
    width = vision.num_channels * vision.patch_size**2
    return {
        "pixel_values": torch.randn(ROWS, LENGTH, width, generator=generator),
        "pixel_attention_mask": torch.ones(ROWS, LENGTH, dtype=torch.long),
        "spatial_shapes": torch.tensor([[4, 4]] * ROWS),
    }


def _speech(config: Any, generator: Generator) -> Data:
    bands = config.input_feat_per_channel * config.input_channels
    return {
        "input_features": torch.randn(ROWS, LENGTH * 8, bands, generator=generator),
        "decoder_input_ids": tokens(generator, ROWS, ANSWER),
    }


def _waveform(config: Any, generator: Generator) -> Data:
    return {"input_values": torch.randn(ROWS, 1000, generator=generator)}


SPECIAL_INPUTS: Mapping[str, Callable[[Any, Generator], Data]] = {
    "audio-spectrogram-transformer": _frames,
    "blt": _without_cache,
    "clip/base": _texts_and_images,
    "fsmt": _translation,
    "hubert": _waveform,
    "musicgen": _codebooks,
    "musicgen_melody": _codebooks,
    "siglip/base": _texts_and_images,
    "siglip2": _patches,
    "speech_to_text": _speech,
    "unispeech": _waveform,
    "unispeech-sat": _waveform,
    "voxtral_realtime": _speech_and_text,
    "wav2vec2": _waveform,
    "whisper/speech_seq2seq": _spectrogram,
}
"""By the case, or by the type where all of its heads are asked the same."""
