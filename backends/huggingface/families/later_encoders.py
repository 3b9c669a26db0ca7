"""Encoders with what decoders brought: rotary positions, gated units, windows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..family import Head
from ..rotary import Rotary
from ..values import Key, Only, Values
from .like_bert import (
    bert_like,
    masked_head,
    pooled_model,
    token_heads,
    two_layers,
)
from .llama import QK_NORMS, llama_like
from .rows import QKV, changed, head_dim

# -- EuroBERT (Boizard et al., 2025, arXiv:2503.05500): Llama's layers, which see both ways

EUROBERT = llama_like(
    "eurobert",
    "EuroBert",
    defaults={
        "vocab_size": 128256,
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-5,
        "pad_token_id": 128001,
        "bos_token_id": 128000,
        "eos_token_id": 128001,
        "attention_bias": False,
        "mlp_bias": False,
    },
    irrelevant=frozenset(["classifier_pooling", "mask_token", "mask_token_id", "pretraining_tp"]),
    spec={
        "family": "encoder-only",
        "attention": {"bias": Key("attention_bias")},
        "feed_forward": {"bias": Key("mlp_bias")},
    },
    heads={
        "EuroBertForMaskedLM": Head(
            spec={
                "head": {
                    "type": "language_model",
                    "tied": Key("tie_word_embeddings"),
                    "bias": Key("mlp_bias"),
                }
            },
            names={"head": "lm_head"},
            untied={"lm_head.weight": "embed_tokens.weight"},
        ),
        "EuroBertModel": Head(),
    },
)

# ESM C (EvolutionaryScale, 2024): proteins, by Llama's layers with norms of means too


def _by_depth(values: Values) -> float:
    scale: float = (36 / values["num_hidden_layers"]) ** 0.5
    return scale


_LAYER_NORM = {"norm": {"bias": True}}
_ESMC_HEAD = masked_head("lm_head", act="gelu", bias="decoder.bias", table="embed_tokens")
ESMC = llama_like(
    "esmc",
    "Esmc",
    defaults={
        "vocab_size": 64,
        "hidden_size": 2560,
        "intermediate_size": 6912,
        "num_hidden_layers": 80,
        "num_attention_heads": 40,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "attention_bias": False,
        "mlp_bias": False,
        "classifier_dropout": 0.1,
    },
    without=["rms_norm_eps"],
    irrelevant=frozenset(["mask_token_id", "classifier_dropout"]),
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
    },
)

# -- BERT's embeddings and norms around rotary attention


def _rotary_names(attention: str) -> dict[Any, Any]:
    """Rows of encoders with fused projections; `attention` is its name in a layer."""
    separate = ("query", "key", "value")
    return {
        "position_embedding": None,
        "embedding_norm": "emb_ln",
        **{f"layers.{{}}.attention.{part}": None for part in separate},
        QKV: f"encoder.layers.{{}}.{attention}.Wqkv",
        "layers.{}.attention.output": f"encoder.layers.{{}}.{attention}.out_proj",
        "layers.{}.attention_norm": "encoder.layers.{}.norm1",
        "layers.{}.feed_forward_norm": "encoder.layers.{}.norm2",
        "layers.{}.feed_forward.down": "encoder.layers.{}.mlp.fc2",
    }


NOMIC_BERT = bert_like(
    "nomic_bert",
    prefix="nomic_bert.",
    heads={
        "NomicBertForMaskedLM": masked_head(
            "cls.predictions", dense="transform.dense", norm="transform.layer_norm"
        ),
        "NomicBertModel": pooled_model(),
        **{
            key: head
            for key, head in token_heads("NomicBert").items()
            if key.endswith("TokenClassification")
        },
    },
    defaults={
        "vocab_size": 30528,
        "hidden_act": "silu",
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "max_position_embeddings": 2048,
        "rope_theta": 1000.0,
    },
    optional={"head_dim": int},
    spec={
        "positions": Rotary(),
        "attention": {"head_dim": head_dim, "bias": False},
        "feed_forward": {"type": "glu", "hidden": Key("intermediate_size"), "bias": False},
    },
    names={
        **_rotary_names("attn"),
        "layers.{}.feed_forward.up": "encoder.layers.{}.mlp.fc11",
        "layers.{}.feed_forward.gate": "encoder.layers.{}.mlp.fc12",
    },
)
JINA_EMBEDDINGS_V3 = bert_like(
    "jina_embeddings_v3",
    prefix="roberta.",
    heads={
        "JinaEmbeddingsV3ForMaskedLM": masked_head("lm_head", act="gelu"),
        "JinaEmbeddingsV3Model": pooled_model(),
        **two_layers("JinaEmbeddingsV3"),
        **token_heads("JinaEmbeddingsV3"),
    },
    defaults={
        "vocab_size": 250002,
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
        "max_position_embeddings": 8194,
        "type_vocab_size": 1,
        "layer_norm_eps": 1e-5,
        "pad_token_id": 1,
        "rope_theta": 20000.0,
    },
    spec={"positions": Rotary()},
    names={
        **_rotary_names("mixer"),
        "layers.{}.feed_forward.up": "encoder.layers.{}.mlp.fc1",
    },
)

# GTE (Zhang et al., 2024, arXiv:2407.19669): the last layer of a gated unit alone has a bias

GTE = bert_like(
    "gte",
    prefix="gte.",
    heads={
        "GteForMaskedLM": masked_head(
            "lm_head", norm="norm", act="gelu", bias="decoder.bias", unused=[r"pooler\..*"]
        ),
        "GteModel": pooled_model(),
        **{
            key: head
            for key, head in token_heads("Gte").items()
            if key.endswith("TokenClassification")
        },
    },
    defaults={
        "vocab_size": 250048,
        "attention_probs_dropout_prob": 0.0,
        "type_vocab_size": 1,
        "pad_token_id": 1,
        "max_position_embeddings": 8192,
        "rope_theta": 160000.0,
    },
    spec={
        "input": {
            "add": lambda values: (
                {"token_type_ids": values["type_vocab_size"]} if values["type_vocab_size"] else None
            )
        },
        "positions": Rotary(),
        "feed_forward": {
            "type": "glu",
            "hidden": Key("intermediate_size"),
            "hidden_dropout": Key("hidden_dropout_prob"),
            "bias": ["down"],
        },
    },
    names={
        "position_embedding": None,
        **{f"layers.{{}}.attention.{part}": None for part in ("query", "key", "value")},
        QKV: "encoder.layer.{}.attention.qkv_proj",
        "layers.{}.attention.output": "encoder.layer.{}.attention.o_proj",
        "layers.{}.attention_norm": "encoder.layer.{}.attn_ln",
        ("layers.{}.feed_forward.up", "layers.{}.feed_forward.gate"): (
            "encoder.layer.{}.mlp.up_gate_proj"
        ),
        "layers.{}.feed_forward.up": None,
        "layers.{}.feed_forward.down": "encoder.layer.{}.mlp.down_proj",
        "layers.{}.feed_forward_norm": "encoder.layer.{}.mlp_ln",
    },
    unused=[r"rotary_emb\.inv_freq"],
)

# -- ESM-2 (Lin et al., 2022): proteins

ESM = bert_like(
    "esm",
    prefix="esm.",
    heads={
        "EsmForMaskedLM": masked_head("lm_head", act="gelu", unused=[r"contact_head\..*"]),
        "EsmModel": pooled_model(),
    },
    without=["type_vocab_size", "hidden_act", "vocab_size"],
    defaults={
        "max_position_embeddings": 1026,
        "position_embedding_type": "absolute",
        "rope_theta": 10000.0,
        "pad_token_id": None,
    },
    optional={"vocab_size": int, "emb_layer_norm_before": bool},
    fixed={"token_dropout": False, "is_folding_model": False},
    irrelevant=frozenset(["esmfold_config", "hidden_act", "mask_token_id", "vocab_list"]),
    spec={
        "activation": "gelu",
        "norm_placement": "pre",
        "max_positions": Only(
            "position_embedding_type",
            "rotary",
            Key("max_position_embeddings"),
            lambda values: values["max_position_embeddings"] - values["pad_token_id"] - 1,
        ),
        "positions": Only(
            "position_embedding_type",
            "rotary",
            Rotary(),
            {
                "type": "learned",
                "offset": lambda values: values["pad_token_id"] + 1,
                "skip_padding": "tokens",
            },
        ),
        "input": {"add": None, "normalize": Key("emb_layer_norm_before")},
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

FAMILIES = (EUROBERT, NOMIC_BERT, JINA_EMBEDDINGS_V3, GTE, ESM, ESMC)
