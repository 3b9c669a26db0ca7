"""BERT as a decoder (Rothe et al., 2019, arXiv:1907.12461), without token types."""

from __future__ import annotations

from ..defaults import keys
from ..family import Head
from ..values import Key, Only
from ._bert_like import BERT_OPTIONAL, bert_like
from ._rows import LAST, TOKEN_KEYS

BERT_GENERATION = bert_like(
    "bert-generation",
    prefix="bert.",
    reads=keys("bos_token_id eos_token_id is_decoder"),
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
