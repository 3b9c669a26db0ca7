"""HuBERT (Hsu et al., 2021, arXiv:2106.07447)."""

from __future__ import annotations

from ..defaults import keys
from ..values import IfSet
from .wav2vec2 import waveform_encoder

HUBERT = waveform_encoder(
    "hubert",
    "Hubert",
    reads=keys("feat_proj_layer_norm"),
    spec={"input": {"project": IfSet("feat_proj_layer_norm", "normalized", True)}},
    fixed={"conv_pos_batch_norm": False},
)

FAMILIES = (HUBERT,)
