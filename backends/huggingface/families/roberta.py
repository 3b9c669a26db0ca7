"""Encoders whose positions count real tokens, after the pad id: RoBERTa and MPNet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..family import Family, Head
from ..values import Key, Row
from .like_bert import (
    bert_like,
    masked_head,
    pooled_model,
    token_heads,
    two_layers,
)

# -- RoBERTa (Liu et al., 2019, arXiv:1907.11692): positions count real tokens, after the pad id

AFTER_PADDING = {
    "type": "learned",
    "offset": lambda values: values["pad_token_id"] + 1,
    "skip_padding": "tokens",
}
AFTER_PADDING_SPEC: Mapping[str, Any] = {
    "max_positions": Row(
        lambda values: values["max_position_embeddings"] - values["pad_token_id"] - 1,
        lambda said: {"max_position_embeddings": said + 2},  # right where the pad id is 1
    ),
    "positions": AFTER_PADDING,
}
ROBERTA_DEFAULTS: Mapping[str, Any] = {"vocab_size": 50265, "pad_token_id": 1}


def roberta_heads(name: str, **head: Any) -> dict[str, Head]:
    return {
        f"{name}ForMaskedLM": masked_head("lm_head", act="gelu", **head),
        f"{name}Model": pooled_model(),
        **two_layers(name),
        **token_heads(name),
    }


def _roberta(model_type: str, name: str, prefix: str = "roberta.", **more: Any) -> Family:
    defaults = {**ROBERTA_DEFAULTS, **more.pop("defaults", {})}
    spec = {**AFTER_PADDING_SPEC, **more.pop("spec", {})}
    heads = more.pop("heads", roberta_heads(name))
    return bert_like(model_type, prefix=prefix, heads=heads, defaults=defaults, spec=spec, **more)


ROBERTA = _roberta("roberta", "Roberta")
XLM_ROBERTA = _roberta("xlm-roberta", "XLMRoberta", defaults={"vocab_size": 30522})
CAMEMBERT = _roberta("camembert", "Camembert", defaults={"vocab_size": 30522})
DATA2VEC_TEXT = _roberta(
    "data2vec-text", "Data2VecText", "data2vec_text.", defaults={"vocab_size": 30522}
)

PRE_NORM: Mapping[str, Any] = {"norm_placement": "pre"}

ROBERTA_PRE_NORM = _roberta(
    "roberta-prelayernorm",
    "RobertaPreLayerNorm",
    "roberta_prelayernorm.",
    spec=PRE_NORM,
    names={
        "layers.{}.attention_norm": "encoder.layer.{}.attention.LayerNorm",
        "layers.{}.feed_forward_norm": "encoder.layer.{}.intermediate.LayerNorm",
        "norm": "LayerNorm",
    },
)
XLM_ROBERTA_XL = _roberta(
    "xlm-roberta-xl",
    "XLMRobertaXL",
    defaults={
        "vocab_size": 250880,
        "hidden_size": 2560,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "intermediate_size": 10240,
        "max_position_embeddings": 514,
        "type_vocab_size": 1,
        "layer_norm_eps": 1e-5,
    },
    spec={**PRE_NORM, "input": {"normalize": None}},
    names={
        "embedding_norm": None,
        "layers.{}.attention_norm": "encoder.layer.{}.attention.self_attn_layer_norm",
        "layers.{}.feed_forward_norm": "encoder.layer.{}.LayerNorm",
        "norm": "encoder.LayerNorm",
    },
)

# I-BERT (Kim et al., 2021, arXiv:2101.01321), before it counts in integers
IBERT = _roberta(
    "ibert",
    "IBert",
    "ibert.",
    fixed={"quant_mode": False},
    defaults={"vocab_size": 30522},
    irrelevant=frozenset(["force_dequant"]),
    unused=[r".*(_scaling_factor|_integer|\.x_min|\.x_max|act_scaling_factor|\.shift)"],
)

# LUKE (Yamada et al., 2020, arXiv:2010.01057), of texts in which no entities are marked
LUKE = _roberta(
    "luke",
    "Luke",
    "luke.",
    defaults={"vocab_size": 50267},
    irrelevant=frozenset(["entity_emb_size", "entity_vocab_size", "use_entity_aware_attention"]),
    heads={
        "LukeForMaskedLM": replace(
            masked_head("lm_head", act="gelu", unused=[r"entity_predictions\..*"]), partial=True
        ),
        "LukeModel": replace(pooled_model(), partial=True),
    },
    unused=[r"entity_embeddings\..*", r".*\.(w2e|e2w|e2e)_query\..*"],
    note="Words alone: entities are not read here",
)

# -- MPNet (Song et al., 2020, arXiv:2004.09297): T5's buckets beside learned positions

MPNET = bert_like(
    "mpnet",
    prefix="mpnet.",
    heads={
        "MPNetForMaskedLM": masked_head("lm_head", act="gelu"),
        "MPNetModel": pooled_model(),
        **two_layers("MPNet", dropout=Key("hidden_dropout_prob")),
        **token_heads("MPNet", dropout=Key("hidden_dropout_prob")),
    },
    defaults={"vocab_size": 30527, "pad_token_id": 1},
    without=["type_vocab_size"],
    # the library counts positions from 2 and makes 32 buckets, whatever the config says
    fixed={"pad_token_id": 1, "relative_attention_num_buckets": 32},
    spec={
        "max_positions": lambda values: values["max_position_embeddings"] - 2,
        "positions": [
            {"type": "learned", "offset": 2, "skip_padding": "tokens"},
            {"type": "relative_bias", "buckets": 32, "max_distance": 128},
        ],
        "input": {"add": None},
    },
    names={
        "token_type_embedding": None,
        "layers.{}.attention.query": "encoder.layer.{}.attention.attn.q",
        "layers.{}.attention.key": "encoder.layer.{}.attention.attn.k",
        "layers.{}.attention.value": "encoder.layer.{}.attention.attn.v",
        "layers.{}.attention.output": "encoder.layer.{}.attention.attn.o",
        "layers.{}.attention_norm": "encoder.layer.{}.attention.LayerNorm",
        "relative_bias": "encoder.relative_attention_bias",
    },
    unused=[r"position_ids"],
)

FAMILIES = (
    ROBERTA,
    XLM_ROBERTA,
    CAMEMBERT,
    DATA2VEC_TEXT,
    ROBERTA_PRE_NORM,
    XLM_ROBERTA_XL,
    IBERT,
    LUKE,
    MPNET,
)
