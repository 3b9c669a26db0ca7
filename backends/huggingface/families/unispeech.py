"""UniSpeech (Wang et al., 2021, arXiv:2101.07597) and UniSpeech-SAT (2021, arXiv:2110.05752)."""

from __future__ import annotations

from .wav2vec2 import waveform_encoder

UNISPEECH = waveform_encoder(
    "unispeech",
    "UniSpeech",
    irrelevant=frozenset(["num_ctc_classes", "replace_prob"]),
)

UNISPEECH_SAT = waveform_encoder(
    "unispeech-sat",
    "UniSpeechSat",
    irrelevant=frozenset(["num_clusters"]),
    frames=True,
)

FAMILIES = (UNISPEECH, UNISPEECH_SAT)
