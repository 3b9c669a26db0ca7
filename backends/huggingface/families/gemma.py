"""Gemma 1, 2 and 3 (2024 and 2025, arXiv:2403.08295, arXiv:2408.00118, arXiv:2503.19786)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..defaults import keys
from ..family import Head, Names
from ..layers import Layer
from ..rotary import by_layer_type, of_layer_type
from ..values import ACTIVATIONS, Key, Values, activation
from ._llama_like import QK_NORMS, UNUSED, llama_like
from ._rows import TOKENS_TOO, causal_heads, every, local_and_global, score_scale

SANDWICH: Names = {
    "layers.{}.attention_norm": "layers.{}.input_layernorm",
    "layers.{}.attention_output_norm": "layers.{}.post_attention_layernorm",
    "layers.{}.feed_forward_norm": "layers.{}.pre_feedforward_layernorm",
    "layers.{}.feed_forward_output_norm": "layers.{}.post_feedforward_layernorm",
}

_KEYS = keys("num_key_value_heads head_dim pad_token_id attention_bias")

_SPEC: dict[str, Any] = {
    "norm": {"weight_offset": 1},
    "input": {"scale": "sqrt_d_model"},
    "attention": {"bias": Key("attention_bias")},
}

GEMMA = llama_like(
    "gemma",
    "Gemma",
    reads=_KEYS,
    irrelevant=frozenset(["hidden_activation"]),  # in published files, but not used
    fixed={"use_bidirectional_attention": None},
    spec={
        **_SPEC,
        # "gelu" in the first files means the tanh approximation
        "feed_forward": {"activation": Key("hidden_act", {**ACTIVATIONS, "gelu": "gelu_tanh"})},
    },
    heads=causal_heads("Gemma", tasks=TOKENS_TOO),
)

KEYS_2 = keys(
    _KEYS,
    "hidden_activation query_pre_attn_scalar sliding_window attn_logit_softcapping",
    "final_logit_softcapping",
)

OPTIONAL_2: dict[str, type] = {
    "layer_types": list,
    "sliding_window": int,
    "attn_logit_softcapping": float,
    "final_logit_softcapping": float,
}

SPEC_2: dict[str, Any] = {
    **_SPEC,
    "attention": {
        "bias": Key("attention_bias"),
        "scale": score_scale("query_pre_attn_scalar"),
        "softcap": Key("attn_logit_softcapping"),
    },
    "feed_forward": {"activation": activation("hidden_activation")},
}

CAPPED: dict[str, Any] = {
    "head": {
        "type": "language_model",
        "tied": Key("tie_word_embeddings"),
        "softcap": Key("final_logit_softcapping"),
    }
}

NEVER_READ = frozenset(["hidden_act", "sliding_window_size"])


def alternating(values: Values) -> list[Layer]:
    return local_and_global(every(values, 2))


GEMMA2 = llama_like(
    "gemma2",
    "Gemma2",
    reads=KEYS_2,
    optional=OPTIONAL_2,
    without=["hidden_act"],
    irrelevant=NEVER_READ,
    fixed={"use_bidirectional_attention": None},
    spec={**SPEC_2, "norm_placement": "sandwich"},
    layers=alternating,
    names=SANDWICH,
    heads=causal_heads("Gemma2", spec=CAPPED, tasks=TOKENS_TOO),
)


def _rotary_3(layer_type: str, theta: str) -> Any:
    """Rotary positions of a layer type; RoPE scaling applies to full layers only."""

    def read(values: Values) -> dict[str, Any]:
        merged = by_layer_type({**values, "rope_theta": values[theta]}, ["full_attention"])
        return of_layer_type(merged, layer_type)

    return read


def _layers_3(values: Values) -> list[Layer]:
    period = values.get("sliding_window_pattern") or values["_sliding_window_pattern"]
    return local_and_global(
        every(values, period),
        local={"positions": _rotary_3("sliding_attention", "rope_local_base_freq")},
        **{"global": {"positions": _rotary_3("full_attention", "rope_theta")}},
    )


GEMMA3_TEXT = llama_like(
    "gemma3_text",
    "Gemma3",
    reads=keys(KEYS_2, "rope_local_base_freq _sliding_window_pattern"),
    optional={
        **OPTIONAL_2,
        "sliding_window_pattern": int,
        "use_bidirectional_attention": bool,  # EmbeddingGemma
    },
    without=["hidden_act"],
    irrelevant=NEVER_READ,
    spec={
        **SPEC_2,
        "positions": None,
        "norm_placement": "sandwich",
        "attention": {**SPEC_2["attention"], "qk_norm": "head"},
    },
    layers=_layers_3,
    names={**SANDWICH, **QK_NORMS},
    heads=causal_heads(
        "Gemma3",
        spec=CAPPED,
        names={
            "Model": "Gemma3TextModel",
            "ForSequenceClassification": "Gemma3TextForSequenceClassification",
        },
    ),
)

# Gemma 3 with images: only the text part is imported

GEMMA3 = replace(
    GEMMA3_TEXT,
    model_type="gemma3",
    fixed={"use_bidirectional_attention": False},
    inside="text_config",
    prefix="language_model.model.",
    unused=(*UNUSED, r"(model\.)?(vision_tower|multi_modal_projector)\..*"),
    heads={
        "Gemma3ForConditionalGeneration": Head(
            spec=CAPPED,
            names={"head": "language_model.lm_head"},
            untied={"language_model.lm_head.weight": "embed_tokens.weight"},
            partial=True,
        ),
        "Gemma3Model": Head(partial=True),
        "Gemma3ForSequenceClassification": replace(
            causal_heads("Gemma3")["Gemma3ForSequenceClassification"],
            partial=True,
        ),
    },
    note="Text only: images are not supported",
)

FAMILIES = (GEMMA, GEMMA2, GEMMA3_TEXT, GEMMA3)
