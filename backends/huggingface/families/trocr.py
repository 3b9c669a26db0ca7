"""TrOCR's decoder (Li et al., 2021, arXiv:2109.10282)."""

from __future__ import annotations

from ..defaults import keys
from ..family import Family
from ..values import Key
from ._rows import TOKEN_KEYS, causal_heads, changed
from .opt import LAST, NAMES, XGLM_SPEC

TROCR = Family(
    model_type="trocr",
    reads=keys(
        "vocab_size d_model decoder_layers decoder_attention_heads decoder_ffn_dim",
        "activation_function max_position_embeddings scale_embedding layernorm_embedding",
        "use_learned_position_embeddings dropout attention_dropout activation_dropout",
        "init_std pad_token_id bos_token_id eos_token_id tie_word_embeddings",
    ),
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
    unused=(r"layers\.\d+\.encoder_attn.*",),  # no encoder, so no cross-attention
    heads={
        "TrOCRForCausalLM": causal_heads("TrOCR", output="output_projection", tasks=())[
            "TrOCRForCausalLM"
        ]
    },
)

FAMILIES = (TROCR,)
