"""TrOCR's decoder (Li et al., 2021, arXiv:2109.10282)."""

from __future__ import annotations

from ..family import Family
from ..values import Key
from ._rows import TOKEN_KEYS, causal_heads, changed
from .opt import LAST, NAMES, XGLM_SPEC

TROCR = Family(
    model_type="trocr",
    defaults={
        "vocab_size": 50265,
        "d_model": 1024,
        "decoder_layers": 12,
        "decoder_attention_heads": 16,
        "decoder_ffn_dim": 4096,
        "activation_function": "gelu",
        "max_position_embeddings": 512,
        "scale_embedding": False,
        "layernorm_embedding": True,
        "use_learned_position_embeddings": True,
        "dropout": 0.1,
        "attention_dropout": 0.0,
        "activation_dropout": 0.0,
        "init_std": 0.02,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "tie_word_embeddings": True,
    },
    optional=TOKEN_KEYS,
    fixed={"use_learned_position_embeddings": True},
    irrelevant=frozenset(["decoder_layerdrop", "decoder_start_token_id", "classifier_dropout"]),
    spec=changed(
        XGLM_SPEC,
        {
            "layers": Key("decoder_layers"),
            "norm_placement": "post",
            "input": {"normalize": Key("layernorm_embedding")},
            "positions": {"type": "learned", "offset": 2},
            "attention": {"heads": Key("decoder_attention_heads")},
            "feed_forward": {"d_ff": Key("decoder_ffn_dim")},
        },
    ),
    last=LAST,
    names={**NAMES, "embedding_norm": "layernorm_embedding"},
    prefix="model.decoder.",
    unused=(r"layers\.\d+\.encoder_attn.*",),  # text alone asks no encoder
    heads={
        "TrOCRForCausalLM": causal_heads("TrOCR", output="output_projection", tasks=())[
            "TrOCRForCausalLM"
        ]
    },
)

FAMILIES = (TROCR,)
