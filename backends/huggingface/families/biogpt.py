"""BioGPT (Luo et al., 2022, arXiv:2210.10341)."""

from __future__ import annotations

from ..defaults import keys
from ..family import Family
from ..values import Key, activation
from ._rows import LAST, SEQUENCE, TOKEN_KEYS, causal_heads, changed
from ._tasks import scored
from .opt import COUNTED, NAMES, XGLM_SPEC

BIOGPT = Family(
    model_type="biogpt",
    reads=keys(
        "vocab_size hidden_size num_hidden_layers num_attention_heads intermediate_size",
        "hidden_act max_position_embeddings scale_embedding hidden_dropout_prob",
        "attention_probs_dropout_prob activation_dropout initializer_range pad_token_id",
        "bos_token_id eos_token_id tie_word_embeddings id2label",
    ),
    optional=TOKEN_KEYS,
    irrelevant=frozenset(["layer_norm_eps", "layerdrop"]),  # the library's norms use 1e-5
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
