"""ModernBERT as a decoder (Weller et al., 2025, arXiv:2507.11412)."""

from __future__ import annotations

from typing import Any

from ..family import Family, Head
from ..layers import Layer
from ..layouts import Layout
from ..rotary import Rotary
from ..values import Key, Values, activation
from .rows import LABELS, LAST, TOKEN_KEYS, layer_types


def _rotary(layer_type: str, values: Values) -> dict[str, Any]:
    if values.get("rope_parameters"):
        return Rotary(layer_type=layer_type)(values)
    older = "global_rope_theta" if layer_type == "full_attention" else "local_rope_theta"
    return Rotary()({**values, "rope_theta": values[older]})


def _layers(values: Values) -> list[Layer]:
    """A window holds half of `local_attention` tokens, the query's among them."""
    every = values["global_attn_every_n_layers"] or 3
    said = values["layer_types"] or [
        "sliding_attention" if layer % every else "full_attention"
        for layer in range(values["num_hidden_layers"])
    ]
    masks = {
        "full_attention": "causal",
        "sliding_attention": f"causal & window({values['local_attention'] // 2})",
    }
    names = {"full_attention": "global", "sliding_attention": "local"}
    return [
        (names[kind], {"mask": masks[kind], "positions": _rotary(kind, values)})
        for kind in layer_types({**values, "layer_types": said})
    ]


MODERNBERT_DECODER = Family(
    model_type="modernbert-decoder",
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
        "classifier_bias": False,
        "classifier_activation": "gelu",
        "local_attention": 128,
        "rope_theta": 10000.0,
        "global_rope_theta": 160000.0,
        "local_rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "id2label": LABELS,
    },
    optional={**TOKEN_KEYS, "layer_types": list, "global_attn_every_n_layers": int},
    irrelevant=frozenset(
        [
            "classifier_dropout",
            "classifier_pooling",
            "cls_token_id",
            "deterministic_flash_attn",
            "initializer_cutoff_factor",
            "layer_norm_eps",
            "reference_compile",
            "repad_logits_with_grad",
            "sliding_window",
            "sparse_pred_ignore_index",
            "sparse_prediction",
        ]
    ),
    spec={
        "family": "decoder-only",
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
            "activation": activation("hidden_activation"),
            "bias": Key("mlp_bias"),
            "hidden_dropout": Key("mlp_dropout"),
        },
        # the norm of the embeddings has just run
        "overrides": {"0": {"attention": {"norm_placement": "none"}}},
    },
    layers=_layers,
    last=LAST,
    names={
        "token_embedding": "embeddings.tok_embeddings",
        "embedding_norm": "embeddings.norm",
        "norm": "final_norm",
        "layers.{}.attention_norm": "layers.{}.attn_norm",
        "layers.{}.attention.query": "layers.{}.attn.q_proj",
        "layers.{}.attention.key": "layers.{}.attn.k_proj",
        "layers.{}.attention.value": "layers.{}.attn.v_proj",
        "layers.{}.attention.output": "layers.{}.attn.Wo",
        "layers.{}.feed_forward_norm": "layers.{}.mlp_norm",
        ("layers.{}.feed_forward.gate", "layers.{}.feed_forward.up"): Layout("layers.{}.mlp.Wi"),
        "layers.{}.feed_forward.down": "layers.{}.mlp.Wo",
    },
    prefix="model.",
    heads={
        "ModernBertDecoderForCausalLM": Head(
            spec={
                "head": {
                    "type": "language_model",
                    "tied": Key("tie_word_embeddings"),
                    "bias": Key("decoder_bias"),
                    "transform": {
                        "type": "dense",
                        "activation": activation("classifier_activation"),
                        "bias": Key("classifier_bias"),
                    },
                }
            },
            names={
                "head.dense": "lm_head.dense",
                "head.norm": "lm_head.norm",
                "head.output": "decoder",
                "head.bias": "decoder.bias",
            },
            untied={"decoder.weight": "embeddings.tok_embeddings.weight"},
        ),
        "ModernBertDecoderModel": Head(),
    },
)

FAMILIES = (MODERNBERT_DECODER,)
