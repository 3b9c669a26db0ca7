"""Decoders with latent attention: DeepSeek and its relatives, with dense layers only."""

from __future__ import annotations

from typing import Any

import transformers as hf
from llamas import GATED
from pairs import Pair, Piece, Table, rows, within
from small_models import PRE_NORMS, SIZES, small
from torch import Tensor, nn

HEADS, RANK, STILL, TURNED, VALUE = 4, 10, 6, 4, 5
DIMS: dict[str, Any] = {
    "num_key_value_heads": HEADS,
    "q_lora_rank": 12,
    "kv_lora_rank": RANK,
    "qk_nope_head_dim": STILL,
    "qk_rope_head_dim": TURNED,
    "v_head_dim": VALUE,
    "rms_norm_eps": 1e-5,
}


def columns_of_heads(module: str, start: int, stop: int) -> Piece:
    """The rows `start` to `stop` of each head."""

    def take(fused: Tensor) -> Tensor:
        return fused.unflatten(0, (HEADS, -1))[:, start:stop].flatten(0, 1)

    return Piece(module, take)


LATENT: Table = {
    "attention.query_down": "self_attn.q_a_proj",
    "attention.query_norm": "self_attn.q_a_layernorm",
    "attention.query_up": "self_attn.q_b_proj",
    "attention.query": "self_attn.q_proj",
    "attention.kv_down": rows("self_attn.kv_a_proj_with_mqa", 0, RANK),
    "attention.kv_norm": "self_attn.kv_a_layernorm",
    "attention.key_rope": rows("self_attn.kv_a_proj_with_mqa", RANK, RANK + TURNED),
    "attention.key_up": columns_of_heads("self_attn.kv_b_proj", 0, STILL),
    "attention.value_up": columns_of_heads("self_attn.kv_b_proj", STILL, STILL + VALUE),
    "attention.output": "self_attn.o_proj",
}
TABLE: Table = {
    "token_embedding": "model.embed_tokens",
    "norm": "model.norm",
    "head": "lm_head",
    **within("layers.{i}", "model.layers.{i}", {**LATENT, **GATED, **PRE_NORMS}),
}

SPEC = """
name: latent
family: decoder-only
vocab_size: 64
d_model: 32
layers: 2
bias: false
norm: {type: rmsnorm, eps: 1e-5}
positions: {type: rotary, layout: interleaved}
attention:
  type: mla
  heads: 4
  query_rank: 12
  kv_rank: 10
  nope_dim: 6
  rope_dim: 4
  value_dim: 5
feed_forward: {type: glu, d_ff: 48, activation: silu}
head: language_model
tokens: {pad: 0, eos: 2}
"""
YARN = "{type: yarn, factor: 8, original_max_positions: 64, mscale: 0.7, mscale_all_dims: 1.2}"
SCALED = SPEC.replace("layout: interleaved}", f"layout: interleaved, scaling: {YARN}}}")
YARN_ROPE = {
    "rope_type": "yarn",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "original_max_position_embeddings": 64,
    "mscale": 0.7,
    "mscale_all_dim": 1.2,
}


def deepseek_v3(**options: Any) -> nn.Module:
    sizes = {**DIMS, "first_k_dense_replace": 2, **options}
    return small(hf.DeepseekV3Config, hf.DeepseekV3ForCausalLM, **sizes)


def deepseek_v2() -> nn.Module:
    """The small one of the family: its queries are made of the input."""
    dims = {**SIZES, **DIMS, "q_lora_rank": None, "first_k_dense_replace": 2}
    return hf.DeepseekV2ForCausalLM(hf.DeepseekV2Config(**dims, rope_parameters=YARN_ROPE))


DEEPSEEK_V3 = Pair("deepseek_v3", SPEC, deepseek_v3, TABLE, unmapped="")

DEEPSEEK_V3_YARN = Pair(
    "deepseek_v3 with yarn",
    SCALED,
    lambda: deepseek_v3(rope_parameters=YARN_ROPE),
    TABLE,
    unmapped="",
)

DEEPSEEK_V3_HALVES = Pair(
    "deepseek_v3 with halves",
    SPEC.replace(", layout: interleaved", "")
    .replace("bias: false", "bias: true")
    .replace("activation: silu}", "activation: silu, bias: false}"),
    lambda: deepseek_v3(rope_interleave=False, attention_bias=True),
    TABLE,
    unmapped="",
)

DEEPSEEK_V2 = Pair(
    "deepseek_v2",
    SCALED.replace("  query_rank: 12\n", ""),
    deepseek_v2,
    TABLE,
    unmapped="",
)

YOUTU = Pair(
    "youtu",
    SPEC.replace("head: language_model", "head: {type: language_model, tied: true}"),
    lambda: small(hf.YoutuConfig, hf.YoutuForCausalLM, **DIMS, rope_parameters=None),
    TABLE,
)

MINICPM3 = Pair(
    "minicpm3",
    SPEC.replace(", layout: interleaved", "").replace(
        "head: language_model",
        "input: {scale: 3}\n"
        "residual: {scale: 0.9899494936611665}\n"
        "head: {type: language_model, input_scale: 0.5}",
    ),
    lambda: small(
        hf.MiniCPM3Config,
        hf.MiniCPM3ForCausalLM,
        **DIMS,
        scale_emb=3,
        scale_depth=1.4,
        dim_model_base=16,
        tie_word_embeddings=False,
    ),
    TABLE,
    unmapped="",
)

LATENTS = (DEEPSEEK_V3, DEEPSEEK_V3_YARN, DEEPSEEK_V3_HALVES, DEEPSEEK_V2, YOUTU, MINICPM3)
