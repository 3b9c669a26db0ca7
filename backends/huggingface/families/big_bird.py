"""BigBird (Zaheer et al., 2020, arXiv:2007.14062), with full attention at any length."""

from __future__ import annotations

from ..defaults import keys
from ..values import Key, Only, activation
from ._as_decoder import with_decoder_class
from ._bert_like import bert_like, like_bert_heads, masked_and_next, pooled_model, token_heads
from ._rows import full_attention
from ._tasks import choices, pooled

BIG_BIRD = bert_like(
    "big_bird",
    prefix="bert.",
    heads={
        "BigBirdForMaskedLM": like_bert_heads("BigBird")["BigBirdForMaskedLM"],
        "BigBirdModel": pooled_model({"head.dense": "pooler"}),
        "BigBirdForSequenceClassification": pooled(
            dense="classifier.dense", output="classifier.out_proj", act=activation("hidden_act")
        ),
        **choices("BigBird", dense="pooler", dropout=Key("hidden_dropout_prob")),
        **masked_and_next("BigBird", "pooler"),
        "BigBirdForTokenClassification": token_heads("BigBird")["BigBirdForTokenClassification"],
    },
    reads=keys("attention_type use_bias rescale_embeddings block_size num_random_blocks"),
    note=full_attention,
    spec={
        "attention": {"bias": Only("use_bias", False, ["output"])},
        "input": {"scale": Only("rescale_embeddings", True, "sqrt_d_model")},
    },
    unused=[r"pooler\..*"],
)

FAMILIES = (with_decoder_class(BIG_BIRD, "BigBirdForCausalLM"),)
