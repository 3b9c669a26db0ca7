"""GIT (Wang et al., 2022, arXiv:2205.14100), text only: a causal BERT."""

from __future__ import annotations

from ..defaults import keys
from ..family import Head
from ..values import Key
from ._bert_like import bert_like
from ._rows import LAST, TOKEN_KEYS

GIT = bert_like(
    "git",
    prefix="git.",
    reads=keys("bos_token_id eos_token_id"),
    without=["type_vocab_size", "id2label"],
    optional=TOKEN_KEYS,
    irrelevant=frozenset(["vision_config", "num_image_with_embedding"]),
    spec={"family": "decoder-only", "input": {"add": None}},
    names={"token_type_embedding": None},
    last=LAST,
    unused=[r"(image_encoder|visual_projection|img_temporal_embedding)\..*"],
    heads={
        "GitForCausalLM": Head(
            spec={
                "head": {
                    "type": "language_model",
                    "tied": Key("tie_word_embeddings"),
                    "bias": True,
                }
            },
            names={"head": "output"},
            untied={"output.weight": "embeddings.word_embeddings.weight"},
            partial=True,
        ),
        "GitModel": Head(partial=True),
    },
    note="Text only: images are not supported",
)

FAMILIES = (GIT,)
