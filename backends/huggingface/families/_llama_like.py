"""Rows shared by decoders built like Llama (Touvron et al., 2023, arXiv:2302.13971)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..defaults import Keys, keys
from ..family import Family, Names
from ..rotary import Rotary
from ..values import Key, activation
from ._rows import LAST, TOKEN_KEYS, causal_heads, changed, head_dim, kv_heads, longest

ATTENTION: Names = {
    "layers.{}.attention.query": "layers.{}.self_attn.q_proj",
    "layers.{}.attention.key": "layers.{}.self_attn.k_proj",
    "layers.{}.attention.value": "layers.{}.self_attn.v_proj",
    "layers.{}.attention.output": "layers.{}.self_attn.o_proj",
}

GATED: Names = {
    "layers.{}.feed_forward.gate": "layers.{}.mlp.gate_proj",
    "layers.{}.feed_forward.up": "layers.{}.mlp.up_proj",
    "layers.{}.feed_forward.down": "layers.{}.mlp.down_proj",
}

PRE_NORMS: Names = {
    "layers.{}.attention_norm": "layers.{}.input_layernorm",
    "layers.{}.feed_forward_norm": "layers.{}.post_attention_layernorm",
}

EMBEDDED: Names = {"token_embedding": "embed_tokens", "norm": "norm"}

QK_NORMS: Names = {
    "layers.{}.attention.query_norm": "layers.{}.self_attn.q_norm",
    "layers.{}.attention.key_norm": "layers.{}.self_attn.k_norm",
}

NAMES: Names = {**EMBEDDED, **PRE_NORMS, **ATTENTION, **GATED}

KEYS = keys(
    "vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads",
    "hidden_act max_position_embeddings initializer_range rms_norm_eps bos_token_id",
    "eos_token_id tie_word_embeddings rope_theta attention_dropout id2label",
)

OPTIONAL: dict[str, type] = {**TOKEN_KEYS, "num_key_value_heads": int, "head_dim": int}

ROTARY = Rotary()

UNUSED = (r"(layers\.\d+\.self_attn\.)?rotary_emb\.inv_freq",)

SPEC: dict[str, Any] = {
    "family": "decoder-only",
    "vocab_size": Key("vocab_size"),
    "max_positions": longest,
    "d_model": Key("hidden_size"),
    "layers": Key("num_hidden_layers"),
    "bias": False,
    "norm": {"type": "rmsnorm", "eps": Key("rms_norm_eps")},
    "positions": ROTARY,
    "attention": {
        "heads": Key("num_attention_heads"),
        "kv_heads": kv_heads,
        "head_dim": head_dim,
        "dropout": Key("attention_dropout"),
    },
    "feed_forward": {
        "type": "glu",
        "d_ff": Key("intermediate_size"),
        "activation": activation("hidden_act"),
    },
}


def llama_like(
    model_type: str,
    name: str,
    *,
    reads: Keys = (),
    own_defaults: Mapping[str, Any] = {},
    optional: Mapping[str, type] = {},
    spec: Mapping[str, Any] = {},
    without: Collection[str] = (),
    names: Names | None = None,
    **more: Any,
) -> Family:
    """A family that differs from Llama in the given rows.

    reads, optional, spec, names: changed and additional rows; in `spec`, mappings are merged
        and None removes a key
    without: keys of config.json that Llama has and this family does not
    """
    more.setdefault("heads", causal_heads(name))
    return Family(
        model_type=model_type,
        reads=keys(KEYS, reads, without=without),
        own_defaults=own_defaults,
        optional={**OPTIONAL, **optional},
        spec=changed(SPEC, spec),
        last=more.pop("last", LAST),
        names={**NAMES, **(names or {})},
        prefix=more.pop("prefix", "model."),
        unused=more.pop("unused", UNUSED),
        **more,
    )


OUTPUT_NORMS: Names = {
    "layers.{}.attention_output_norm": "layers.{}.post_attention_layernorm",
    "layers.{}.feed_forward_output_norm": "layers.{}.post_feedforward_layernorm",
}

BIAS_KEYS = keys("attention_bias mlp_bias")

BIASED_SPEC: dict[str, Any] = {
    "attention": {"bias": Key("attention_bias")},
    "feed_forward": {"bias": Key("mlp_bias")},
}

PROJECTED = ["query", "key", "value"]

LAYER_NORM = {"type": "layernorm", "eps": Key("layer_norm_eps")}

MLP: dict[str, Any] = {
    "type": "mlp",
    "d_ff": Key("intermediate_size"),
    "activation": activation("hidden_act"),
}

BIASED_MLP = {**MLP, "bias": Key("mlp_bias")}
