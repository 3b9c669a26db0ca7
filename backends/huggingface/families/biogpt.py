"""BioGPT (Luo et al., 2022, arXiv:2210.10341)."""

from __future__ import annotations

from ..family import Family
from ..values import Key, activation
from ._rows import LABELS, LAST, SEQUENCE, TOKEN_KEYS, causal_heads, changed
from ._tasks import scored
from .opt import COUNTED, NAMES, XGLM_SPEC

BIOGPT = Family(
    model_type="biogpt",
    defaults={
        "vocab_size": 42384,
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
        "hidden_act": "gelu",
        "max_position_embeddings": 1024,
        "scale_embedding": True,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "activation_dropout": 0.0,
        "initializer_range": 0.02,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "tie_word_embeddings": True,
        "id2label": LABELS,
    },
    optional=TOKEN_KEYS,
    irrelevant=frozenset(["layer_norm_eps", "layerdrop"]),  # norms have 1e-5, whatever it says
    spec=changed(
        XGLM_SPEC,
        {
            "d_model": Key("hidden_size"),
            "layers": Key("num_hidden_layers"),
            "dropout": Key("hidden_dropout_prob"),
            "activation": activation("hidden_act"),
            "positions": COUNTED,
            "attention": {
                "heads": Key("num_attention_heads"),
                "dropout": Key("attention_probs_dropout_prob"),
            },
            "feed_forward": {"d_ff": Key("intermediate_size")},
        },
    ),
    last=LAST,
    names=NAMES,
    prefix="biogpt.",
    heads={
        **causal_heads("BioGpt", output="output_projection", tasks=SEQUENCE),
        "BioGptForTokenClassification": scored(dropout=0.1),
    },
)

FAMILIES = (BIOGPT,)
