"""ESM-2 (Lin et al., 2022) and ESM C (EvolutionaryScale, 2024): encoders of proteins."""

from __future__ import annotations

from dataclasses import replace

from ..defaults import keys
from ..family import Head
from ..rotary import Rotary
from ..values import IfSet, Key, Only, Values
from ._bert_like import bert_like, masked_head, pooled_model, two_layers
from ._llama_like import QK_NORMS, llama_like
from ._rows import after_padding, changed
from ._tasks import scored

# ESM C (EvolutionaryScale, 2024): Llama's layers with LayerNorm


def _by_depth(values: Values) -> float:
    scale: float = (36 / values["num_hidden_layers"]) ** 0.5
    return scale


_LAYER_NORM = {"norm": {"bias": True}}

_ESMC_HEAD = masked_head("lm_head", act="gelu", bias="decoder.bias", table="embed_tokens")

ESMC = llama_like(
    "esmc",
    "Esmc",
    reads=keys("pad_token_id attention_bias mlp_bias classifier_dropout"),
    without=["rms_norm_eps"],
    irrelevant=frozenset(["mask_token_id"]),
    spec={
        "family": "encoder-only",
        "norm": {"type": "layernorm", "bias": False},
        "residual": {"scale": _by_depth},
        "attention": {
            **_LAYER_NORM,
            "bias": Key("attention_bias"),
            "qk_norm": {"type": "projection", "norm": {"bias": False}},
        },
        "feed_forward": {**_LAYER_NORM, "bias": Key("mlp_bias")},
    },
    names=QK_NORMS,
    prefix="esmc.",
    heads={
        "EsmcForMaskedLM": replace(
            _ESMC_HEAD, spec=changed(_ESMC_HEAD.spec, {"head": {"transform": _LAYER_NORM}})
        ),
        "EsmcModel": Head(),
        **two_layers("Esmc"),
        "EsmcForTokenClassification": scored("score"),
    },
)

_KEPT = 0.88
"""Factor of token embeddings (`token_dropout`): 12 % of the training tokens were masked."""


def _note(values: Values) -> str:
    if not values["token_dropout"]:
        return ""
    return (
        "For sequences without mask tokens. The library zeroes the embeddings of mask tokens and "
        "rescales the others by their number (`token_dropout`)"
    )


ESM = bert_like(
    "esm",
    prefix="esm.",
    heads={
        "EsmForMaskedLM": masked_head("lm_head", act="gelu", unused=[r"contact_head\..*"]),
        "EsmModel": pooled_model(),
        **two_layers("Esm", dropout=Key("hidden_dropout_prob")),
        "EsmForTokenClassification": scored(dropout=Key("hidden_dropout_prob")),
    },
    without=["type_vocab_size", "hidden_act", "vocab_size"],
    reads=keys("position_embedding_type rope_theta token_dropout"),
    note=_note,
    optional={"vocab_size": int, "emb_layer_norm_before": bool},
    fixed={"is_folding_model": False},
    irrelevant=frozenset(
        [
            "cls_token_idx",
            "eos_token_idx",
            "esmfold_config",
            "hidden_act",
            "mask_token_id",
            "vocab_list",
        ]
    ),
    spec={
        "activation": "gelu",
        "norm_placement": "pre",
        "max_positions": Only(
            "position_embedding_type",
            "rotary",
            Key("max_position_embeddings"),
            lambda values: values["max_position_embeddings"] - after_padding(values),
        ),
        "positions": Only(
            "position_embedding_type",
            "rotary",
            Rotary(),
            {
                "type": "learned",
                "offset": after_padding,
                "skip_padding": "tokens",
            },
        ),
        "input": {
            "scale": IfSet("token_dropout", _KEPT),
            "dropout": 0,
            "add": None,
            "normalize": Key("emb_layer_norm_before"),
        },
    },
    names={
        "token_type_embedding": None,
        "embedding_norm": "embeddings.layer_norm",
        "layers.{}.attention_norm": "encoder.layer.{}.attention.LayerNorm",
        "layers.{}.feed_forward_norm": "encoder.layer.{}.LayerNorm",
        "norm": "encoder.emb_layer_norm_after",
    },
    renamed={".gamma": ".weight", ".beta": ".bias"},
    unused=[
        r"contact_head\..*",
        r"embeddings\.position_embeddings\.weight",
        r"encoder\.layer\.(\d+|\*)\.attention\.self\.rotary_embeddings\.inv_freq",
        r"rotary_embeddings\.inv_freq",
    ],
)

FAMILIES = (ESMC, ESM)
