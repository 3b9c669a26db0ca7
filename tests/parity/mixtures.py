"""Decoders whose feed-forwards are mixtures of experts."""

from __future__ import annotations

from typing import Any

import transformers as hf
from llamas import GATED, QUERY_KEY_NORMS
from pairs import Pair, Piece, Table, within
from small_models import EAGER, PRE_NORMS, SEPARATE, small


def halves(module: str, index: int) -> Piece:
    """The gates or the ups of all experts, stored as (experts, gate and up, width)."""
    return Piece(module, lambda tensor: tensor.chunk(2, dim=1)[index])


def mixture(router: str = "mlp.gate", experts: str = "mlp.experts") -> Table:
    return {
        "feed_forward.router": router,
        "feed_forward.experts.gate": halves(f"{experts}.gate_up_proj", 0),
        "feed_forward.experts.up": halves(f"{experts}.gate_up_proj", 1),
        "feed_forward.experts.down": f"{experts}.down_proj",
    }


def decoder(*parts: Table) -> Table:
    layer: dict[str, str | Piece] = {}
    for part in (SEPARATE, PRE_NORMS, *parts):
        layer |= part
    whole = {"token_embedding": "model.embed_tokens", "norm": "model.norm", "head": "lm_head"}
    return {**whole, **within("layers.{i}", "model.layers.{i}", layer)}


SPEC = """
name: mixture
family: decoder-only
vocab_size: 64
d_model: 32
layers: 2
bias: false
norm: {type: rmsnorm, eps: 1e-6}
positions: rotary
attention: {heads: 4, kv_heads: 2}
feed_forward: {type: moe, experts: 6, top_k: 2, expert: {type: glu, d_ff: 24, activation: silu}}
head: language_model
"""
EXPERTS = SPEC.split("feed_forward: ")[1].splitlines()[0]
GROUPED: dict[str, Any] = {"num_key_value_heads": 2, "num_experts_per_tok": 2}


def spec(**changes: str) -> str:
    """The common text with other values for some of its keys."""
    text = SPEC
    for key, value in changes.items():
        (line,) = (line for line in SPEC.splitlines() if line.startswith(f"{key}: "))
        text = text.replace(line, f"{key}: {value}")
    return text


def mixed(*options: str) -> str:
    """The mixture of the common text with more options."""
    return EXPERTS.removesuffix("}") + "".join(f", {option}" for option in options) + "}"


MIXTRAL = Pair(
    "mixtral",
    spec(positions="{type: rotary, theta: 1e6}"),
    lambda: small(
        hf.MixtralConfig,
        hf.MixtralForCausalLM,
        **GROUPED,
        intermediate_size=24,
        num_local_experts=6,
        rms_norm_eps=1e-6,
    ),
    decoder(mixture()),
    unmapped="",
)

QWEN2_MOE = Pair(
    "qwen2_moe, one dense layer",
    spec(
        layers="3",
        attention="{heads: 4, kv_heads: 2, bias: [query, key, value]}",
        feed_forward=mixed(
            "router: {normalize: false}",
            "shared_expert: {type: glu, d_ff: 40, activation: silu}",
            "shared_gate: true",
        ),
    )
    + "overrides: {1: {feed_forward: {type: glu, d_ff: 48, activation: silu}}}\n",
    lambda: small(
        hf.Qwen2MoeConfig,
        hf.Qwen2MoeForCausalLM,
        **GROUPED,
        num_hidden_layers=3,
        num_experts=6,
        moe_intermediate_size=24,
        shared_expert_intermediate_size=40,
        mlp_only_layers=[1],
    ),
    decoder(
        GATED,
        mixture(),
        {
            "feed_forward.shared_gate": "mlp.shared_expert_gate",
            "feed_forward.shared_expert.gate": "mlp.shared_expert.gate_proj",
            "feed_forward.shared_expert.up": "mlp.shared_expert.up_proj",
            "feed_forward.shared_expert.down": "mlp.shared_expert.down_proj",
        },
    ),
    unmapped="",
)

QWEN3_MOE = Pair(
    "qwen3_moe, sparse in every second layer",
    spec(layers="4", attention="{heads: 4, kv_heads: 2, head_dim: 12, qk_norm: head}").replace(
        f"feed_forward: {EXPERTS}",
        f"blocks:\n  dense: {{feed_forward: {{type: glu, d_ff: 48, activation: silu}}}}\n"
        f"  sparse: {{feed_forward: {EXPERTS}}}\npattern: [dense, sparse]",
    ),
    lambda: small(
        hf.Qwen3MoeConfig,
        hf.Qwen3MoeForCausalLM,
        **GROUPED,
        num_hidden_layers=4,
        head_dim=12,
        num_experts=6,
        moe_intermediate_size=24,
        decoder_sparse_step=2,
        norm_topk_prob=True,
    ),
    decoder(GATED, mixture(), QUERY_KEY_NORMS),
    unmapped="",
)

OLMOE = Pair(
    "olmoe",
    spec(
        norm="{type: rmsnorm, eps: 1e-5}",
        attention="{heads: 4, kv_heads: 2, clip_qkv: 0.9, qk_norm: {type: projection, "
        "before_clip: true}}",
        feed_forward=mixed("router: {normalize: false}"),
    ),
    lambda: small(
        hf.OlmoeConfig,
        hf.OlmoeForCausalLM,
        **GROUPED,
        clip_qkv=0.9,
        intermediate_size=24,
        num_experts=6,
    ),
    decoder(mixture(), QUERY_KEY_NORMS),
    unmapped="",
)

GRANITE_MOE = Pair(
    "granitemoe",
    spec(
        attention="{heads: 4, kv_heads: 2, scale: 0.2}",
        head="{type: language_model, tied: true, scale: 0.125}",
    )
    + "input: {scale: 3}\nresidual: {scale: 0.4}\n",
    lambda: small(
        hf.GraniteMoeConfig,
        hf.GraniteMoeForCausalLM,
        **GROUPED,
        intermediate_size=24,
        num_local_experts=6,
        attention_multiplier=0.2,
        embedding_multiplier=3.0,
        residual_multiplier=0.4,
        logits_scaling=8.0,
        tie_word_embeddings=True,
    ),
    decoder(mixture("block_sparse_moe.router", "block_sparse_moe.experts")),
)

PHIMOE = Pair(
    "phimoe",
    spec(
        bias="true",
        positions="{type: rotary, theta: 1e6}",
        norm="{type: layernorm, eps: 1e-6}",
        feed_forward=mixed("router: {score: sparsemixer, jitter: 0.3}").replace(
            "{type: glu", "{type: glu, bias: false"
        ),
        head="{type: language_model, bias: true}",
    ),
    lambda: small(
        hf.PhimoeConfig,
        hf.PhimoeForCausalLM,
        **GROUPED,
        intermediate_size=24,
        num_local_experts=6,
        router_jitter_noise=0.3,
        rms_norm_eps=1e-6,
        attention_bias=True,
        lm_head_bias=True,
    ),
    decoder(mixture("mlp.router")),
    unmapped="",
)


def every_second(module: str, index: int) -> Piece:
    """The gates or the ups of all experts, stored as (experts, width, gate and up in turn)."""
    return Piece(module, lambda tensor: tensor[..., index::2])


def turned(piece: Piece) -> Piece:
    """A piece stored as (experts, in, out)."""
    return Piece(piece.module, lambda tensor: piece.take(tensor).transpose(1, 2))


GPT_OSS_EXPERTS: Table = {
    "feed_forward.router": "mlp.router",
    "feed_forward.experts.gate": turned(every_second("mlp.experts.gate_up_proj", 0)),
    "feed_forward.experts.up": turned(every_second("mlp.experts.gate_up_proj", 1)),
    "feed_forward.experts.down": turned(Piece("mlp.experts.down_proj")),
    "feed_forward.experts.gate_bias": every_second("mlp.experts.gate_up_proj_bias", 0),
    "feed_forward.experts.up_bias": every_second("mlp.experts.gate_up_proj_bias", 1),
    "feed_forward.experts.down_bias": "mlp.experts.down_proj_bias",
}

GPT_OSS = Pair(
    "gpt_oss with experts",
    """
name: gpt-oss
family: decoder-only
vocab_size: 64
d_model: 32
layers: 2
norm: rmsnorm
positions: {type: rotary, theta: 150000}
attention: {heads: 4, kv_heads: 2, head_dim: 12, sinks: true}
feed_forward:
  type: moe
  experts: 6
  top_k: 2
  router: {bias: true}
  expert:
    type: glu
    d_ff: 24
    activation: {type: swish, beta: 1.702}
    clamp: 0.3
    linear_offset: 1
blocks:
  local: {mask: causal & window(5)}
  global: {mask: causal}
pattern: [local, global]
head: language_model
""",
    lambda: small(
        hf.GptOssConfig,
        hf.GptOssForCausalLM,
        **GROUPED,
        intermediate_size=24,
        head_dim=12,
        sliding_window=5,
        num_local_experts=6,
        swiglu_limit=0.3,
        rope_parameters={"rope_type": "default", "rope_theta": 150000.0},
        **EAGER,
    ),
    decoder(GPT_OSS_EXPERTS, {"attention.sinks": "self_attn.sinks"}),
    unmapped="",
)

MIXTURES = (MIXTRAL, QWEN2_MOE, QWEN3_MOE, OLMOE, GRANITE_MOE, PHIMOE, GPT_OSS)
