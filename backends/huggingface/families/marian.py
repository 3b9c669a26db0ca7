"""Marian translation models (Junczys-Dowmunt et al., 2018, arXiv:1804.00344)."""

from __future__ import annotations

from dataclasses import replace

from ..values import RefusedError, Row, Values
from ._rows import changed
from .bart import NO_EMBEDDING_NORM, bart_like


def _one_vocabulary(values: Values) -> int:
    """The size of the decoder's table, which the head of the decoder alone must share."""
    size, other = int(values["vocab_size"]), values.get("decoder_vocab_size")
    if other not in (None, size):
        raise RefusedError(
            f"`decoder_vocab_size: {other}` beside `vocab_size: {size}` is not supported: "
            "they are the sizes of the embedding and of the head"
        )
    return size


_VOCABULARY = Row(_one_vocabulary, lambda size: {"vocab_size": size, "decoder_vocab_size": size})
MARIAN = bart_like(
    "marian",
    "Marian",
    own_defaults={"classifier_dropout": 0.0},
    model="MarianMTModel",
    fixed={"share_encoder_decoder_embeddings": True},
    irrelevant=frozenset(["decoder_vocab_size", "_num_labels"]),
    spec={**NO_EMBEDDING_NORM, "positions": {"type": "sinusoidal"}},
    unused=(r"(encoder|decoder)\.embed_positions\.weight",),
)

assert MARIAN.other is not None
FAMILIES = (
    replace(
        MARIAN,
        other=replace(MARIAN.other, spec=changed(MARIAN.other.spec, {"vocab_size": _VOCABULARY})),
    ),
)
