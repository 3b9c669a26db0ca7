"""FlauBERT (Le et al., 2019, arXiv:1912.05372): XLM for French."""

from __future__ import annotations

from .xlm import xlm_like

_TRAINING = frozenset(
    [
        "amp",
        "bptt",
        "clip_grad_norm",
        "encoder_only",
        "fp16",
        "group_by_size",
        "langs",
        "lg_sampling_factor",
        "lgs",
        "max_batch_size",
        "mlm_steps",
        "sample_alpha",
        "tokens_per_batch",
        "word_blank",
        "word_dropout",
        "word_keep",
        "word_mask",
        "word_mask_keep_rand",
        "word_pred",
        "word_rand",
        "word_shuffle",
    ]
)
"""Options of training in published files."""

FLAUBERT = xlm_like("flaubert", "Flaubert", fixed={"pre_norm": False}, irrelevant=_TRAINING)

FAMILIES = (FLAUBERT,)
