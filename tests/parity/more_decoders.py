"""Decoders that differ from the others in one or two options each."""

from __future__ import annotations

from typing import Any

import transformers as hf
from llamas import LLAMA_SPEC, QUERY_KEY_NORMS, like_llama
from odd_specs import changed
from pairs import Pair, Piece, Table, rows, share, within
from small_models import EAGER, PRE_NORMS, SEPARATE, small

BASE = changed(LLAMA_SPEC, "positions: rotary")
PROJECTIONS: Table = {
    "query": "q_proj",
    "key": "k_proj",
    "value": "v_proj",
    "output": "out_proj",
}


def without(table: Table, *names: str) -> Table:
    return {name: entry for name, entry in table.items() if not name.endswith(names)}


COHERE = Pair(
    "cohere",
    changed(
        BASE,
        "norm: {type: layernorm, bias: false}",
        "positions: {type: rotary, theta: 500000, layout: interleaved}",
        "residual: {type: parallel, shared_norm: true}",
        "attention: {heads: 4, kv_heads: 2, qk_norm: per_head}",
        "head: {type: language_model, tied: true, scale: 0.25}",
    ),
    lambda: small(
        hf.CohereConfig,
        hf.CohereForCausalLM,
        num_key_value_heads=2,
        logit_scale=0.25,
        use_qk_norm=True,
        layer_norm_eps=1e-5,
    ),
    {
        **without(like_llama(QUERY_KEY_NORMS, tied=True), "_norm"),
        **within("layers.{i}", "model.layers.{i}", {"norm": "input_layernorm", **QUERY_KEY_NORMS}),
    },
)

STABLELM = Pair(
    "stablelm",
    changed(
        BASE,
        "norm: layernorm",
        "positions: {type: rotary, fraction: 0.25}",
        "residual: {type: parallel, shared_norm: true}",
        "attention: {heads: 4, kv_heads: 2,"
        " qk_norm: {type: per_head, norm: {type: layernorm, bias: false}}}",
    ),
    lambda: small(
        hf.StableLmConfig,
        hf.StableLmForCausalLM,
        num_key_value_heads=2,
        use_parallel_residual=True,
        qk_layernorm=True,
        layer_norm_eps=1e-5,
    ),
    {
        **like_llama(),
        **within(
            "layers.{i}",
            "model.layers.{i}",
            {
                "norm": "input_layernorm",
                "attention.query_norm": Piece("self_attn.q_layernorm.norms.{h}", heads=4),
                "attention.key_norm": Piece("self_attn.k_layernorm.norms.{h}", heads=2),
            },
        ),
    },
    unmapped="",
)

GRANITE = Pair(
    "granite",
    changed(
        BASE,
        "input: {scale: 12}",
        "residual: {scale: 0.22}",
        "attention: {heads: 4, kv_heads: 2, scale: 0.03}",
        "head: {type: language_model, scale: 0.125}",
    ),
    lambda: small(
        hf.GraniteConfig,
        hf.GraniteForCausalLM,
        num_key_value_heads=2,
        embedding_multiplier=12.0,
        residual_multiplier=0.22,
        logits_scaling=8.0,
        attention_multiplier=0.03,
    ),
    like_llama(PRE_NORMS),
    unmapped="",
)

NEMOTRON = Pair(
    "nemotron",
    changed(
        BASE,
        "norm: {type: layernorm, weight_offset: 1}",
        "positions: {type: rotary, fraction: 0.5}",
        "feed_forward: {d_ff: 48, activation: relu2}",
    ),
    lambda: small(hf.NemotronConfig, hf.NemotronForCausalLM, num_key_value_heads=2, head_dim=8),
    like_llama(PRE_NORMS),
    unmapped="",
)

OLMO = Pair(
    "olmo",
    changed(
        BASE,
        "norm: {type: layernorm, affine: false}",
        "attention: {heads: 4, kv_heads: 2, clip_qkv: 0.4}",
    ),
    lambda: small(hf.OlmoConfig, hf.OlmoForCausalLM, num_key_value_heads=2, clip_qkv=0.4),
    without(like_llama(), "norm"),
    unmapped="",
)

GLM4 = Pair(
    "glm4",
    changed(
        BASE,
        "norm_placement: sandwich",
        "positions: {type: rotary, fraction: 0.5, layout: interleaved}",
        "attention: {heads: 4, kv_heads: 2, bias: [query, key, value]}",
    ),
    lambda: small(
        hf.Glm4Config,
        hf.Glm4ForCausalLM,
        num_key_value_heads=2,
        head_dim=8,
        rms_norm_eps=1e-6,
        attention_bias=True,
        rope_parameters={
            "rope_type": "default",
            "rope_theta": 10000.0,
            "partial_rotary_factor": 0.5,
        },
    ),
    {
        **like_llama(),
        **within(
            "layers.{i}",
            "model.layers.{i}",
            {
                "attention_norm": "input_layernorm",
                "attention_output_norm": "post_self_attn_layernorm",
                "feed_forward_norm": "post_attention_layernorm",
                "feed_forward_output_norm": "post_mlp_layernorm",
                "feed_forward.gate": share("mlp.gate_up_proj", 0, 2),
                "feed_forward.up": share("mlp.gate_up_proj", 1, 2),
            },
        ),
    },
    unmapped="",
)

SMOLLM3 = Pair(
    "smollm3",
    changed(
        BASE,
        "layers: 4",
        "blocks: {turned: {positions: rotary}, free: {positions: none}}",
        "pattern: [turned * 2, free]",
        "positions: none",
        "head: {type: language_model, tied: true}",
    ),
    lambda: small(
        hf.SmolLM3Config,
        hf.SmolLM3ForCausalLM,
        num_hidden_layers=4,
        num_key_value_heads=2,
        no_rope_layers=[1, 1, 0, 1],
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    ),
    like_llama(PRE_NORMS, tied=True),
)

GPT_NEO = Pair(
    "gpt_neo",
    """
name: gpt-neo
family: decoder-only
vocab_size: 64
max_positions: 48
d_model: 32
layers: 4
positions: learned
attention: {heads: 4, scale: none, bias: [output]}
feed_forward: {d_ff: 48, activation: gelu_tanh}
blocks: {global: {mask: causal}, local: {mask: causal & window(5)}}
pattern: [global, local]
head: {type: language_model, tied: true}
""",
    lambda: small(
        hf.GPTNeoConfig,
        hf.GPTNeoForCausalLM,
        num_hidden_layers=None,
        num_attention_heads=None,
        num_layers=4,
        num_heads=4,
        attention_types=[[["global", "local"], 2]],
        window_size=5,
        **EAGER,
    ),
    {
        "token_embedding": "transformer.wte",
        "position_embedding": "transformer.wpe",
        "norm": "transformer.ln_f",
        **within(
            "layers.{i}",
            "transformer.h.{i}",
            {
                "attention_norm": "ln_1",
                **within("attention", "attn.attention", PROJECTIONS),
                "feed_forward_norm": "ln_2",
                "feed_forward.up": "mlp.c_fc",
                "feed_forward.down": "mlp.c_proj",
            },
        ),
    },
)

MPT = Pair(
    "mpt",
    """
name: mpt
family: decoder-only
vocab_size: 64
d_model: 48
layers: 2
bias: false
norm: {type: layernorm, bias: false}
positions: {type: alibi, slopes: ceil}
attention: {heads: 6}
feed_forward: {activation: gelu}
head: {type: language_model, tied: true}
""",
    lambda: hf.MptForCausalLM(
        hf.MptConfig(d_model=48, n_heads=6, n_layers=2, vocab_size=64, max_seq_len=48, **EAGER)
    ),
    {
        "token_embedding": "transformer.wte",
        "norm": "transformer.norm_f",
        **within(
            "layers.{i}",
            "transformer.blocks.{i}",
            {
                "attention_norm": "norm_1",
                "attention.query": rows("attn.Wqkv", 0, 48),
                "attention.key": rows("attn.Wqkv", 48, 96),
                "attention.value": rows("attn.Wqkv", 96, 144),
                "attention.output": "attn.out_proj",
                "feed_forward_norm": "norm_2",
                "feed_forward.up": "ffn.up_proj",
                "feed_forward.down": "ffn.down_proj",
            },
        ),
    },
    places=False,
)

XGLM_SIZES: dict[str, Any] = {
    "vocab_size": 64,
    "max_position_embeddings": 48,
    "d_model": 32,
    "ffn_dim": 48,
    "num_layers": 2,
    "attention_heads": 4,
    "scale_embedding": True,
    **EAGER,
}

XGLM = Pair(
    "xglm",
    """
name: xglm
family: decoder-only
vocab_size: 64
max_positions: 48
d_model: 32
layers: 2
input: {scale: sqrt_d_model}
positions: {type: sinusoidal, denominator: half_minus_one, offset: 2}
attention: {heads: 4}
feed_forward: {d_ff: 48, activation: gelu}
head: {type: language_model, tied: true}
""",
    lambda: hf.XGLMForCausalLM(hf.XGLMConfig(**XGLM_SIZES)),
    {
        "token_embedding": "model.embed_tokens",
        "norm": "model.layer_norm",
        **within(
            "layers.{i}",
            "model.layers.{i}",
            {
                **SEPARATE,
                "attention.output": "self_attn.out_proj",
                "attention_norm": "self_attn_layer_norm",
                "feed_forward_norm": "final_layer_norm",
                "feed_forward.up": "fc1",
                "feed_forward.down": "fc2",
            },
        ),
    },
)

MORE_DECODERS = (
    COHERE,
    STABLELM,
    GRANITE,
    NEMOTRON,
    OLMO,
    GLM4,
    SMOLLM3,
    GPT_NEO,
    MPT,
    XGLM,
)
