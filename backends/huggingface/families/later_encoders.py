"""Encoders with what decoders brought: rotary positions, gated units, windows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..family import Family, Head
from ..layers import Layer
from ..rotary import Rotary
from ..values import Key, Only, RefusedError, Values
from .like_bert import (
    LAST,
    bert_like,
    masked_head,
    pooled_model,
    token_heads,
    two_layers,
)
from .llama import llama_like
from .rows import LABELS, QKV, TOKEN_KEYS, head_dim, layer_types

# -- ModernBERT (Warner et al., 2024, arXiv:2412.13663)


def _modernbert_types(values: Values) -> list[str]:
    said = values["layer_types"]
    every = values["global_attn_every_n_layers"] or 3
    return said or [
        "sliding_attention" if layer % every else "full_attention"
        for layer in range(values["num_hidden_layers"])
    ]


def _theta(layer_type: str, older: str) -> Any:
    """Rotary positions of a kind of layer; theta has a key of its own in older configs."""

    def read(values: Values) -> dict[str, Any]:
        usual = {**values, "rope_theta": values[older]}
        if not values.get("rope_parameters"):
            usual["rope_parameters"] = None
        return Rotary(layer_type=layer_type)(usual)

    return read


_MODERN_BLOCKS: dict[str, tuple[str, Any]] = {
    "full_attention": ("global", _theta("full_attention", "global_rope_theta")),
    "sliding_attention": ("local", _theta("sliding_attention", "local_rope_theta")),
}


def _modernbert_layers(values: Values) -> list[Layer]:
    """The window holds half of `local_attention` tokens on either side."""
    layers: list[Layer] = []
    for layer_type in layer_types({**values, "layer_types": _modernbert_types(values)}):
        if layer_type not in _MODERN_BLOCKS:
            raise RefusedError(f"layers of type `{layer_type}` are not supported yet")
        kind, positions = _MODERN_BLOCKS[layer_type]
        window = f"band({values['local_attention'] // 2})"
        mask = window if kind == "local" else "full"
        layers.append((kind, {"mask": mask, "positions": positions(values)}))
    return layers


MODERNBERT = Family(
    model_type="modernbert",
    defaults={
        "vocab_size": 50368,
        "hidden_size": 768,
        "intermediate_size": 1152,
        "num_hidden_layers": 22,
        "num_attention_heads": 12,
        "hidden_activation": "gelu",
        "max_position_embeddings": 8192,
        "initializer_range": 0.02,
        "norm_eps": 1e-5,
        "norm_bias": False,
        "pad_token_id": 50283,
        "bos_token_id": 50281,
        "eos_token_id": 50282,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "embedding_dropout": 0.0,
        "mlp_bias": False,
        "mlp_dropout": 0.0,
        "decoder_bias": True,
        "classifier_pooling": "cls",
        "classifier_dropout": 0.0,
        "classifier_bias": False,
        "classifier_activation": "gelu",
        "local_attention": 128,
        "global_rope_theta": 160000.0,
        "local_rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "id2label": LABELS,
    },
    optional={
        **TOKEN_KEYS,
        "layer_types": list,
        "rope_parameters": dict,
        "rope_scaling": dict,
        "global_attn_every_n_layers": int,
        "local_rope_theta": float,
    },
    irrelevant=frozenset(
        [
            "cls_token_id",
            "compile",
            "deterministic_flash_attn",
            "initializer_cutoff_factor",
            "layer_norm_eps",
            "position_embedding_type",
            "reference_compile",
            "repad_logits_with_grad",
            "sparse_pred_ignore_index",
            "sparse_prediction",
        ]
    ),
    spec={
        "family": "encoder-only",
        "vocab_size": Key("vocab_size"),
        "max_positions": Key("max_position_embeddings"),
        "d_model": Key("hidden_size"),
        "layers": Key("num_hidden_layers"),
        "bias": False,
        "norm": {"eps": Key("norm_eps"), "bias": Key("norm_bias")},
        "input": {"normalize": True, "dropout": Key("embedding_dropout")},
        "attention": {
            "heads": Key("num_attention_heads"),
            "bias": Key("attention_bias"),
            "dropout": Key("attention_dropout"),
        },
        "feed_forward": {
            "type": "glu",
            "hidden": Key("intermediate_size"),
            "activation": Key("hidden_activation", words={"gelu": "gelu", "silu": "silu"}),
            "bias": Key("mlp_bias"),
            "hidden_dropout": Key("mlp_dropout"),
        },
        # the norm of the embeddings has just run
        "overrides": {"0": {"attention": {"norm_placement": "none"}}},
    },
    layers=_modernbert_layers,
    last=LAST,
    names={
        "token_embedding": "embeddings.tok_embeddings",
        "embedding_norm": "embeddings.norm",
        "norm": "final_norm",
        "layers.{}.attention_norm": "layers.{}.attn_norm",
        QKV: "layers.{}.attn.Wqkv",
        "layers.{}.attention.output": "layers.{}.attn.Wo",
        "layers.{}.feed_forward_norm": "layers.{}.mlp_norm",
        ("layers.{}.feed_forward.gate", "layers.{}.feed_forward.up"): "layers.{}.mlp.Wi",
        "layers.{}.feed_forward.down": "layers.{}.mlp.Wo",
    },
    prefix="model.",
    heads={
        "ModernBertForMaskedLM": Head(
            spec={
                "head": {
                    "type": "language_model",
                    "tied": Key("tie_word_embeddings"),
                    "bias": Key("decoder_bias"),
                    "transform": {
                        "type": "dense",
                        "activation": Key("classifier_activation"),
                        "bias": Key("classifier_bias"),
                    },
                }
            },
            names={
                "head.dense": "head.dense",
                "head.norm": "head.norm",
                "head.bias": "decoder.bias",
                "head.output": "decoder",
            },
            untied={"decoder.weight": "embeddings.tok_embeddings.weight"},
        ),
        "ModernBertModel": Head(),
    },
)

# ModernVBERT (Teiletche et al., 2025, arXiv:2510.01149): the text alone is read

_MODERN_HEAD = MODERNBERT.heads["ModernBertForMaskedLM"]
MODERNVBERT = replace(
    MODERNBERT,
    model_type="modernvbert",
    defaults={**MODERNBERT.defaults, "tie_word_embeddings": False},
    inside="text_config",
    prefix="model.text_model.",
    unused=(r"model\.(vision_model|connector)\..*",),
    heads={
        "ModernVBertForMaskedLM": replace(
            _MODERN_HEAD,
            names={
                "head.dense": "projection_head.dense",
                "head.norm": "projection_head.norm",
                "head.bias": "lm_head.bias",
                "head.output": "lm_head",
            },
            untied={"lm_head.weight": "embeddings.tok_embeddings.weight"},
            partial=True,
        )
    },
    note="The text alone: images are not read here",
)

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

FAMILIES = (MODERNBERT, MODERNVBERT, EUROBERT, NOMIC_BERT, JINA_EMBEDDINGS_V3, ESM)
