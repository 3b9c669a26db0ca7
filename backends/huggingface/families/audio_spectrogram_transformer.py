"""AST (Gong et al., 2021, arXiv:2104.01778): DeiT on overlapping patches of a spectrogram."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ....spec.embedding import pair
from ..defaults import keys
from ..family import Head
from ..values import Row, Values
from ._vision import image_classes, vit_like
from .deit import DEIT


def _sides(*names: str) -> Row:
    """Two sizes of a spectrogram, along bands and frames; one number if they are equal."""

    def read(values: Values) -> Any:
        bands, frames = (values[name] for name in names)
        return bands if bands == frames else [bands, frames]

    def write(value: Any) -> dict[str, int]:
        return dict(zip(names, pair(value), strict=True))

    return Row(read, write)


_SPECTROGRAM: Mapping[str, Any] = {
    "argument": "input_values",
    "layout": "spectrogram",
    "image_size": _sides("num_mel_bins", "max_length"),
    "stride": _sides("frequency_stride", "time_stride"),
    "channels": 1,
    "prefix_tokens": 2,
}

_SOUND_CLASSES = image_classes(
    {"type": "first", "tokens": 2}, norm="classifier.layernorm", normed=True
)

AST = vit_like(
    "audio-spectrogram-transformer",
    prefix="audio_spectrogram_transformer.",
    without=["image_size", "num_channels"],
    reads=keys("frequency_stride time_stride max_length num_mel_bins"),
    spec={"input": _SPECTROGRAM},
    names=DEIT.names,
    heads={
        "ASTModel": Head(),
        "ASTForAudioClassification": replace(
            _SOUND_CLASSES, names={**_SOUND_CLASSES.names, "head.output": "classifier.dense"}
        ),
    },
)

FAMILIES = (AST,)
