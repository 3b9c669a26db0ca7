"""BigBird (Zaheer et al., 2020, arXiv:2007.14062), with full attention at any length."""

from __future__ import annotations

from ..values import Only
from ._bert_like import bert_like, like_bert_heads, pooled_model, token_heads
from ._rows import full_attention

BIG_BIRD = bert_like(
    "big_bird",
    prefix="bert.",
    heads={
        "BigBirdForMaskedLM": like_bert_heads("BigBird")["BigBirdForMaskedLM"],
        "BigBirdModel": pooled_model({"head.dense": "pooler"}),
        **token_heads("BigBird"),
    },
    defaults={
        "vocab_size": 50358,
        "hidden_act": "gelu_new",
        "max_position_embeddings": 4096,
        "attention_type": "block_sparse",
        "use_bias": True,
        "rescale_embeddings": False,
        "block_size": 64,
        "num_random_blocks": 3,
    },
    note=full_attention,
    spec={
        "attention": {"bias": Only("use_bias", False, ["output"])},
        "input": {"scale": Only("rescale_embeddings", True, "sqrt_d_model")},
    },
    unused=[r"pooler\..*"],
)

FAMILIES = (BIG_BIRD,)
