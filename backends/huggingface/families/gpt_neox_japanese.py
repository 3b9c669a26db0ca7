"""GPT-NeoX Japanese (ABEJA, 2022): only the last layer's attention has a bias."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..family import Family
from ..layers import Layer
from ..layouts import Layout
from ..rotary import Rotary
from ..values import Key, Values, activation
from ._rows import LAST, QKV, TOKEN_KEYS, causal_heads, longest
from .gpt_neox import older_rotary


def _japanese_rotary(values: Values) -> dict[str, Any]:
    return Rotary(partial=True)(older_rotary(values, 1.0))


def _japanese_layers(values: Values) -> list[Layer]:
    """Only the last layer's attention has a bias, on its output projection."""
    count = values["num_hidden_layers"]
    biased = {"attention": {"bias": ["output"]}}
    return [("block", {}) if i < count - 1 else ("last", biased) for i in range(count)]


GPT_NEOX_JAPANESE = Family(
    model_type="gpt_neox_japanese",
    reads=keys(
        "vocab_size hidden_size num_hidden_layers num_attention_heads",
        "intermediate_multiple_size hidden_act max_position_embeddings initializer_range",
        "layer_norm_eps rope_theta attention_dropout hidden_dropout bos_token_id eos_token_id",
        "tie_word_embeddings",
    ),
    optional={**TOKEN_KEYS, "rotary_pct": float, "rotary_emb_base": float},
    irrelevant=frozenset(["is_decoder"]),
    spec={
        "family": "decoder-only",
        "vocab_size": Key("vocab_size"),
        "max_positions": longest,
        "d_model": Key("hidden_size"),
        "layers": Key("num_hidden_layers"),
        "dropout": Key("hidden_dropout"),
        "bias": False,
        "norm": {"eps": Key("layer_norm_eps")},
        "input": {"dropout": 0},
        "positions": _japanese_rotary,
        "attention": {
            "heads": Key("num_attention_heads"),
            "dropout": Key("attention_dropout"),
        },
        "feed_forward": {
            "d_ff": lambda values: f"{values['intermediate_multiple_size']} * d_model",
            "activation": activation("hidden_act"),
        },
    },
    layers=_japanese_layers,
    last=LAST,
    names={
        "token_embedding": "embed_in",
        "norm": "final_layer_norm",
        "layers.{}.attention_norm": "layers.{}.input_layernorm",
        "layers.{}.feed_forward_norm": "layers.{}.post_attention_layernorm",
        QKV: Layout("layers.{}.attention.query_key_value", groups=Key("num_attention_heads")),
        "layers.{}.attention.output": "layers.{}.attention.dense",
        "layers.{}.attention.output.bias": "layers.{}.attention.dense_bias",
        "layers.{}.feed_forward.up": "layers.{}.mlp.dense_h_to_4h",
        "layers.{}.feed_forward.down": "layers.{}.mlp.dense_4h_to_h",
    },
    prefix="gpt_neox_japanese.",
    unused=(r"layers\.\d+\.attention\.rotary_emb\.inv_freq",),
    heads=causal_heads("GPTNeoXJapanese", table="embed_in", output="embed_out", tasks=()),
)

FAMILIES = (GPT_NEOX_JAPANESE,)
