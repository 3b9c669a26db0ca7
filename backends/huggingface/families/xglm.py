"""XGLM (Lin et al., 2021, arXiv:2112.10668): sinusoids."""

from __future__ import annotations

from ..defaults import keys
from ..family import Family
from ._rows import TOKEN_KEYS, causal_heads
from .opt import LAST, NAMES, XGLM_SPEC

XGLM = Family(
    model_type="xglm",
    reads=keys(
        "vocab_size d_model num_layers attention_heads ffn_dim activation_function",
        "max_position_embeddings scale_embedding dropout attention_dropout activation_dropout",
        "init_std pad_token_id bos_token_id eos_token_id tie_word_embeddings",
    ),
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
