"""BERT that writes (Rothe et al., 2019, arXiv:1907.12461): it has no kinds of tokens."""

from __future__ import annotations

from ..family import Head
from ..values import Key, Only
from ._bert_like import BERT_OPTIONAL, bert_like
from ._rows import LAST, TOKEN_KEYS

BERT_GENERATION = bert_like(
    "bert-generation",
    prefix="bert.",
    defaults={
        "vocab_size": 50358,
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
        "bos_token_id": 2,
        "eos_token_id": 1,
        "is_decoder": False,
    },
    optional={**BERT_OPTIONAL, **TOKEN_KEYS},
    without=["type_vocab_size", "id2label"],
    spec={
        "family": "decoder-only",
        "mask": Only("is_decoder", False, "full"),
        "input": {"add": None},
    },
    names={"token_type_embedding": None},
    last=LAST,
    heads={
        "BertGenerationDecoder": Head(
            spec={
                "head": {
                    "type": "language_model",
                    "tied": Key("tie_word_embeddings"),
                    "bias": True,
                }
            },
            names={"head": "lm_head.decoder", "head.bias": "lm_head.bias"},
            untied={"lm_head.decoder.weight": "embeddings.word_embeddings.weight"},
            instead={"lm_head.bias": "lm_head.decoder.bias"},
        ),
        "BertGenerationEncoder": Head(),
    },
)

FAMILIES = (BERT_GENERATION,)
