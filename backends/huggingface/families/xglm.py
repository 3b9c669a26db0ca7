"""XGLM (Lin et al., 2021, arXiv:2112.10668): sinusoids."""

from __future__ import annotations

from ..family import Family
from ._rows import TOKEN_KEYS, causal_heads
from .opt import LAST, NAMES, XGLM_SPEC

XGLM = Family(
    model_type="xglm",
    defaults={
        "vocab_size": 256008,
        "d_model": 1024,
        "num_layers": 24,
        "attention_heads": 16,
        "ffn_dim": 4096,
        "activation_function": "gelu",
        "max_position_embeddings": 2048,
        "scale_embedding": True,
        "dropout": 0.1,
        "attention_dropout": 0.1,
        "activation_dropout": 0.0,
        "init_std": 0.02,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "tie_word_embeddings": True,
    },
    optional=TOKEN_KEYS,
    irrelevant=frozenset(["layerdrop"]),
    spec=XGLM_SPEC,
    last=LAST,
    names=NAMES,
    prefix="model.",
    unused=(r"embed_positions\.weights",),
    heads=causal_heads("XGLM", tasks=()),
)

FAMILIES = (XGLM,)
