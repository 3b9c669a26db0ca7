"""Llama-like decoders: rotary positions, RMS norms, gated feed-forwards."""

from __future__ import annotations

from typing import Any

import transformers as hf
from pairs import Pair, Table, rows, share, within
from small_models import EAGER, PRE_NORMS, SEPARATE, small
from torch import nn

GATED: Table = {
    "feed_forward.gate": "mlp.gate_proj",
    "feed_forward.up": "mlp.up_proj",
    "feed_forward.down": "mlp.down_proj",
}
SANDWICH_NORMS: Table = {
    "attention_norm": "input_layernorm",
    "attention_output_norm": "post_attention_layernorm",
    "feed_forward_norm": "pre_feedforward_layernorm",
    "feed_forward_output_norm": "post_feedforward_layernorm",
}
OUTPUT_NORMS: Table = {
    "attention_output_norm": "post_attention_layernorm",
    "feed_forward_output_norm": "post_feedforward_layernorm",
}
QUERY_KEY_NORMS: Table = {
    "attention.query_norm": "self_attn.q_norm",
    "attention.key_norm": "self_attn.k_norm",
}


def like_llama(*parts: Table, tied: bool = False) -> Table:
    layer = {name: entry for part in (SEPARATE, GATED, *parts) for name, entry in part.items()}
    table = {"token_embedding": "model.embed_tokens", "norm": "model.norm"}
    if not tied:
        table["head"] = "lm_head"
    return {**table, **within("layers.{i}", "model.layers.{i}", layer)}


LLAMA_SPEC = """
name: llama
family: decoder-only
vocab_size: 64
max_positions: 48
d_model: 32
layers: 2
bias: false
norm: {type: rmsnorm, eps: 1e-6}
positions: {type: rotary, theta: 500000}
attention: {heads: 4, kv_heads: 2}
feed_forward: {type: glu, d_ff: 48, activation: silu}
head: language_model
tokens: {pad: 0, eos: 2}
"""


def llama(positions: int = 48, **options: Any) -> nn.Module:
    rope = {"rope_type": "default", "rope_theta": 500000.0, **options}
    return small(
        hf.LlamaConfig,
        hf.LlamaForCausalLM,
        num_key_value_heads=2,
        rope_parameters=rope,
        max_position_embeddings=positions,
    )


LLAMA = Pair("llama", LLAMA_SPEC, llama, like_llama(PRE_NORMS), unmapped="")

SCALED = "{type: rotary, theta: 500000, scaling: %s}"

LLAMA3_ROPE = Pair(
    "llama with stretched positions",
    LLAMA_SPEC.replace(
        "{type: rotary, theta: 500000}",
        SCALED % "{type: llama3, factor: 8, low_freq_factor: 1, high_freq_factor: 2,"
        " original_max_positions: 16}",
    ),
    lambda: llama(
        rope_type="llama3",
        factor=8.0,
        low_freq_factor=1.0,
        high_freq_factor=2.0,
        original_max_position_embeddings=16,
    ),
    LLAMA.table,
    unmapped="",
)

LINEAR_ROPE = Pair(
    "llama with linear positions",
    LLAMA_SPEC.replace("{type: rotary, theta: 500000}", SCALED % "{type: linear, factor: 4}"),
    lambda: llama(rope_type="linear", factor=4.0),
    LLAMA.table,
    unmapped="",
)

MISTRAL = Pair(
    "mistral",
    """
name: mistral
family: decoder-only
vocab_size: 64
d_model: 32
layers: 2
bias: false
norm: {type: rmsnorm, eps: 1e-6}
positions: rotary
mask: causal & window(5)
attention: {heads: 4, kv_heads: 2, head_dim: 12}
feed_forward: {type: glu, d_ff: 48, activation: silu}
head: language_model
""",
    lambda: small(
        hf.MistralConfig,
        hf.MistralForCausalLM,
        num_key_value_heads=2,
        head_dim=12,
        sliding_window=5,
    ),
    like_llama(PRE_NORMS),
    unmapped="",
)

QWEN3 = Pair(
    "qwen3",
    """
name: qwen3
family: decoder-only
vocab_size: 64
d_model: 32
layers: 2
bias: false
norm: {type: rmsnorm, eps: 1e-6}
positions: {type: rotary, theta: 1e6}
attention: {heads: 4, kv_heads: 2, head_dim: 12, qk_norm: head}
feed_forward: {type: glu, d_ff: 48, activation: silu}
head: {type: language_model, tied: true}
""",
    lambda: small(
        hf.Qwen3Config,
        hf.Qwen3ForCausalLM,
        num_key_value_heads=2,
        head_dim=12,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
    ),
    like_llama(PRE_NORMS, QUERY_KEY_NORMS, tied=True),
)

QWEN2 = Pair(
    "qwen2",
    """
name: qwen2
family: decoder-only
vocab_size: 64
d_model: 32
layers: 2
bias: false
norm: {type: rmsnorm, eps: 1e-6}
positions: rotary
attention: {heads: 4, kv_heads: 1, bias: [query, key, value]}
feed_forward: {type: glu, d_ff: 48, activation: silu}
head: language_model
""",
    lambda: small(hf.Qwen2Config, hf.Qwen2ForCausalLM, num_key_value_heads=1),
    like_llama(PRE_NORMS),
    unmapped="",
)

OLMO2 = Pair(
    "olmo2",
    """
name: olmo2
family: decoder-only
vocab_size: 64
d_model: 32
layers: 2
bias: false
norm: rmsnorm
norm_placement: output
positions: {type: rotary, theta: 500000}
attention: {heads: 4, kv_heads: 2, qk_norm: projection}
feed_forward: {type: glu, d_ff: 48, activation: silu}
head: language_model
""",
    lambda: small(
        hf.Olmo2Config,
        hf.Olmo2ForCausalLM,
        num_key_value_heads=2,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 500000.0},
    ),
    like_llama(OUTPUT_NORMS, QUERY_KEY_NORMS),
    unmapped="",
)

GEMMA2 = Pair(
    "gemma2",
    """
name: gemma2
family: decoder-only
vocab_size: 64
d_model: 32
layers: 3
bias: false
input: {scale: sqrt_d_model}
norm: {type: rmsnorm, eps: 1e-6, weight_offset: 1}
norm_placement: sandwich
positions: rotary
attention: {heads: 4, kv_heads: 2, head_dim: 12, scale: 0.25, softcap: 5}
feed_forward: {type: glu, d_ff: 48, activation: gelu_tanh}
blocks:
  local: {mask: causal & window(5)}
  global: {mask: causal}
pattern: [local, global]
head: {type: language_model, tied: true, softcap: 3}
""",
    lambda: small(
        hf.Gemma2Config,
        hf.Gemma2ForCausalLM,
        num_hidden_layers=3,
        num_key_value_heads=2,
        head_dim=12,
        query_pre_attn_scalar=16,
        attn_logit_softcapping=5.0,
        final_logit_softcapping=3.0,
        sliding_window=5,
        **EAGER,
    ),
    like_llama(SANDWICH_NORMS, tied=True),
)

GEMMA3 = Pair(
    "gemma3",
    """
name: gemma3
family: decoder-only
vocab_size: 64
d_model: 32
layers: 4
bias: false
input: {scale: sqrt_d_model}
norm: {type: rmsnorm, eps: 1e-6, weight_offset: 1}
norm_placement: sandwich
attention: {heads: 4, kv_heads: 1, head_dim: 12, scale: 0.25, qk_norm: head}
feed_forward: {type: glu, d_ff: 48, activation: gelu_tanh}
blocks:
  local: {mask: causal & window(5), positions: {type: rotary, theta: 10000}}
  global: {mask: causal, positions: {type: rotary, theta: 1e6}}
pattern: [local * 2, global]
head: {type: language_model, tied: true}
""",
    lambda: small(
        hf.Gemma3TextConfig,
        hf.Gemma3ForCausalLM,
        num_hidden_layers=4,
        num_key_value_heads=1,
        head_dim=12,
        query_pre_attn_scalar=16,
        sliding_window=5,
        layer_types=[*["sliding_attention"] * 2, "full_attention", "sliding_attention"],
    ),
    like_llama(SANDWICH_NORMS, QUERY_KEY_NORMS, tied=True),
)

PHI3 = Pair(
    "phi3",
    LLAMA_SPEC.replace("name: llama", "name: phi3").replace("theta: 500000", "theta: 10000"),
    lambda: small(hf.Phi3Config, hf.Phi3ForCausalLM, num_key_value_heads=2, rms_norm_eps=1e-6),
    {
        **like_llama(PRE_NORMS),
        **within(
            "layers.{i}",
            "model.layers.{i}",
            {
                "attention.query": rows("self_attn.qkv_proj", 0, 32),
                "attention.key": rows("self_attn.qkv_proj", 32, 48),
                "attention.value": rows("self_attn.qkv_proj", 48, 64),
                "feed_forward.gate": share("mlp.gate_up_proj", 0, 2),
                "feed_forward.up": share("mlp.gate_up_proj", 1, 2),
            },
        ),
    },
    unmapped="",
)

LLAMAS = (
    LLAMA,
    LLAMA3_ROPE,
    LINEAR_ROPE,
    MISTRAL,
    QWEN2,
    QWEN3,
    PHI3,
    OLMO2,
    GEMMA2,
    GEMMA3,
)
