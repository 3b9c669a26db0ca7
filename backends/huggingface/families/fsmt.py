"""FSMT (Ng et al., 2019, arXiv:1907.06616): encoder and decoder have their own vocabularies."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..family import Family, Head
from ..values import IfSet, Key, Read, RefusedError, Values, activation
from ._rows import after_padding
from .bart import IRRELEVANT_HERE, KEYS, NAMES, SEPARATE, stack_spec


def _after_padding_here(values: Values) -> dict[str, Any]:
    return {"type": "sinusoidal", "denominator": "half_minus_one", "offset": after_padding(values)}


def _own_words(name: str) -> Read:
    """Vocabulary size of one stack; None if the embeddings are shared."""
    return lambda values: None if values["tie_word_embeddings"] else values[name]


def _shared_words(values: Values) -> int | None:
    """Vocabulary size of a shared embedding; None if there are two."""
    words: int = values["src_vocab_size"]
    if not values["tie_word_embeddings"]:
        return None
    if words != values["tgt_vocab_size"]:
        raise RefusedError("`tie_word_embeddings: true` needs equal vocabulary sizes")
    return words


_SHARED = "decoder.embed_tokens"

_FSMT_COPIES = {"encoder.embed_tokens.weight": f"{_SHARED}.weight"}

FSMT = Family(
    model_type="fsmt",
    reads=keys(KEYS, "src_vocab_size tgt_vocab_size", without=["vocab_size"]),
    own_defaults={"classifier_dropout": 0.0},
    optional={"decoder_start_token_id": int, "decoder": dict},
    irrelevant=IRRELEVANT_HERE | {"langs", "src_vocab_file", "tgt_vocab_file"},
    spec={
        "family": "encoder-decoder",
        "vocab_size": _shared_words,
        "max_positions": Key("max_position_embeddings"),
        "d_model": Key("d_model"),
        "dropout": Key("dropout"),
        "activation": activation("activation_function"),
        "norm_placement": "post",
        "input": {"scale": IfSet("scale_embedding", "sqrt_d_model")},
        "encoder": {
            "vocab_size": _own_words("src_vocab_size"),
            "positions": lambda values: {**_after_padding_here(values), "skip_padding": "tokens"},
            **stack_spec("encoder"),
        },
        "decoder": {
            "vocab_size": _own_words("tgt_vocab_size"),
            "input": {"tied": lambda values: "encoder" if values["tie_word_embeddings"] else None},
            "positions": lambda values: {**_after_padding_here(values), "skip_padding": "mask"},
            **stack_spec("decoder"),
        },
    },
    last={
        "init": {"type": "normal", "std": Key("init_std")},
        "tokens": {
            "pad": Key("pad_token_id"),
            "bos": Key("bos_token_id"),
            "eos": Key("eos_token_id"),
            "decoder_start": Key("decoder_start_token_id"),
        },
    },
    names=lambda values: {
        **NAMES,
        **({"token_embedding": _SHARED} if values["tie_word_embeddings"] else SEPARATE),
    },
    prefix="model.",
    unused=(r"(encoder|decoder)\.embed_positions\.weight",),
    heads={
        "FSMTForConditionalGeneration": Head(
            spec={"head": {"type": "language_model", "tied": Key("tie_word_embeddings")}},
            names={"head": "decoder.output_projection"},
            untied={"decoder.output_projection.weight": f"{_SHARED}.weight"},
            copies=_FSMT_COPIES,
        ),
        "FSMTModel": Head(copies=_FSMT_COPIES),
    },
)

FAMILIES = (FSMT,)
