"""Other decoders: learned positions, ALiBi, parallel branches, partial rotation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import transformers as hf
from pairs import Pair, Table, columns, rows, share_of_heads, within
from small_models import EAGER, PRE_NORMS, SEPARATE, small
from torch import nn

GPT2_SIZES: dict[str, Any] = {
    "vocab_size": 64,
    "n_positions": 48,
    "n_embd": 32,
    "n_layer": 2,
    "n_head": 4,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "attn_implementation": "sdpa",
}

GPT2 = Pair(
    "gpt2",
    """
name: gpt2
family: decoder-only
vocab_size: 64
max_positions: 48
d_model: 32
layers: 2
dropout: 0.1
positions: learned
attention: {heads: 4}
feed_forward: {activation: gelu_tanh}
head: {type: language_model, tied: true}
tokens: {pad: 0, eos: 2}
""",
    lambda: hf.GPT2LMHeadModel(hf.GPT2Config(**GPT2_SIZES)),
    {
        "token_embedding": "transformer.wte",
        "position_embedding": "transformer.wpe",
        "norm": "transformer.ln_f",
        **within(
            "layers.{i}",
            "transformer.h.{i}",
            {
                "attention_norm": "ln_1",
                "attention.query": columns("attn.c_attn", 0, 3),
                "attention.key": columns("attn.c_attn", 1, 3),
                "attention.value": columns("attn.c_attn", 2, 3),
                "attention.output": columns("attn.c_proj"),
                "feed_forward_norm": "ln_2",
                "feed_forward.up": columns("mlp.c_fc"),
                "feed_forward.down": columns("mlp.c_proj"),
            },
        ),
    },
)

GPT2_BY_LAYER = replace(
    GPT2,
    name="gpt2 scaled by layer",
    spec=GPT2.spec.replace("{heads: 4}", "{heads: 4, scale: by_layer}"),
    theirs=lambda: hf.GPT2LMHeadModel(
        hf.GPT2Config(**GPT2_SIZES, scale_attn_by_inverse_layer_idx=True)
    ),
)

NEOX_ATTENTION: Table = {
    name: share_of_heads("attention.query_key_value", index, 3, heads=4)
    for index, name in enumerate(("attention.query", "attention.key", "attention.value"))
}

GPT_NEOX = Pair(
    "gpt_neox",
    """
name: gpt-neox
family: decoder-only
vocab_size: 64
d_model: 32
layers: 2
positions: {type: rotary, fraction: 0.25}
residual: parallel
attention: {heads: 4}
feed_forward: {d_ff: 48, activation: gelu}
head: language_model
""",
    lambda: small(hf.GPTNeoXConfig, hf.GPTNeoXForCausalLM, use_parallel_residual=True),
    {
        "token_embedding": "gpt_neox.embed_in",
        "norm": "gpt_neox.final_layer_norm",
        "head": "lm_head",
        **within(
            "layers.{i}",
            "gpt_neox.layers.{i}",
            {
                **PRE_NORMS,
                **NEOX_ATTENTION,
                "attention.output": "attention.dense",
                "feed_forward.up": "mlp.dense_h_to_4h",
                "feed_forward.down": "mlp.dense_4h_to_h",
            },
        ),
    },
    unmapped="",
)

GPTJ = Pair(
    "gptj",
    """
name: gpt-j
family: decoder-only
vocab_size: 64
d_model: 32
layers: 2
positions: {type: rotary, fraction: 0.5, layout: interleaved}
residual: {type: parallel, shared_norm: true}
attention: {heads: 4, bias: false}
feed_forward: {activation: gelu_tanh}
head: {type: language_model, bias: true}
""",
    lambda: hf.GPTJForCausalLM(hf.GPTJConfig(**{**GPT2_SIZES, **EAGER}, rotary_dim=4)),
    {
        "token_embedding": "transformer.wte",
        "norm": "transformer.ln_f",
        "head": "lm_head",
        **within(
            "layers.{i}",
            "transformer.h.{i}",
            {
                "norm": "ln_1",
                "attention.query": "attn.q_proj",
                "attention.key": "attn.k_proj",
                "attention.value": "attn.v_proj",
                "attention.output": "attn.out_proj",
                "feed_forward.up": "mlp.fc_in",
                "feed_forward.down": "mlp.fc_out",
            },
        ),
    },
    unmapped="",
)

PHI = Pair(
    "phi",
    """
name: phi
family: decoder-only
vocab_size: 64
d_model: 32
layers: 2
positions: {type: rotary, fraction: 0.5}
residual: {type: parallel, shared_norm: true}
attention: {heads: 4, kv_heads: 2}
feed_forward: {d_ff: 48, activation: gelu_tanh}
head: {type: language_model, bias: true}
""",
    lambda: small(
        hf.PhiConfig,
        hf.PhiForCausalLM,
        num_key_value_heads=2,
        rope_parameters={
            "rope_type": "default",
            "rope_theta": 10000.0,
            "partial_rotary_factor": 0.5,
        },
    ),
    {
        "token_embedding": "model.embed_tokens",
        "norm": "model.final_layernorm",
        "head": "lm_head",
        **within(
            "layers.{i}",
            "model.layers.{i}",
            {
                **SEPARATE,
                "norm": "input_layernorm",
                "attention.output": "self_attn.dense",
                "feed_forward.up": "mlp.fc1",
                "feed_forward.down": "mlp.fc2",
            },
        ),
    },
    unmapped="",
)

FALCON = Pair(
    "falcon",
    """
name: falcon
family: decoder-only
vocab_size: 64
d_model: 32
layers: 2
bias: false
positions: rotary
residual: {type: parallel, shared_norm: true}
attention: {heads: 4, kv_heads: 1}
feed_forward: {d_ff: 4 * d_model, activation: gelu}
head: {type: language_model, tied: true}
""",
    lambda: small(
        hf.FalconConfig, hf.FalconForCausalLM, multi_query=True, parallel_attn=True, bias=False
    ),
    {
        "token_embedding": "transformer.word_embeddings",
        "norm": "transformer.ln_f",
        **within(
            "layers.{i}",
            "transformer.h.{i}",
            {
                "norm": "input_layernorm",
                "attention.query": rows("self_attention.query_key_value", 0, 32),
                "attention.key": rows("self_attention.query_key_value", 32, 40),
                "attention.value": rows("self_attention.query_key_value", 40, 48),
                "attention.output": "self_attention.dense",
                "feed_forward.up": "mlp.dense_h_to_4h",
                "feed_forward.down": "mlp.dense_4h_to_h",
            },
        ),
    },
)

BLOOM_SPEC = """
name: bloom
family: decoder-only
vocab_size: 64
d_model: 32
layers: 2
input: {normalize: true}
positions: alibi
attention: {heads: 4}
feed_forward: {activation: gelu_tanh}
head: {type: language_model, tied: true}
"""


def bloom(width: int, heads: int) -> nn.Module:
    sizes = {"vocab_size": 64, "hidden_size": width, "n_layer": 2, "n_head": heads}
    return hf.BloomForCausalLM(hf.BloomConfig(**sizes, **EAGER))


def bloom_table(heads: int) -> Table:
    fused = "self_attention.query_key_value"
    return {
        "token_embedding": "transformer.word_embeddings",
        "embedding_norm": "transformer.word_embeddings_layernorm",
        "norm": "transformer.ln_f",
        **within(
            "layers.{i}",
            "transformer.h.{i}",
            {
                **PRE_NORMS,
                "attention.query": share_of_heads(fused, 0, 3, heads),
                "attention.key": share_of_heads(fused, 1, 3, heads),
                "attention.value": share_of_heads(fused, 2, 3, heads),
                "attention.output": "self_attention.dense",
                "feed_forward.up": "mlp.dense_h_to_4h",
                "feed_forward.down": "mlp.dense_4h_to_h",
            },
        ),
    }


BLOOM = Pair("bloom", BLOOM_SPEC, lambda: bloom(32, 4), bloom_table(4), places=False)

BLOOM_SIX = Pair(
    "bloom with six heads",
    BLOOM_SPEC.replace("heads: 4", "heads: 6").replace("d_model: 32", "d_model: 48"),
    lambda: bloom(48, 6),
    bloom_table(6),
    places=False,
)

OPT_TABLE: Table = {
    "token_embedding": "model.decoder.embed_tokens",
    "position_embedding": "model.decoder.embed_positions",
    "norm": "model.decoder.final_layer_norm",
    "embedding_projection": "model.decoder.project_in",
    "output_projection": "model.decoder.project_out",
    **within(
        "layers.{i}",
        "model.decoder.layers.{i}",
        {
            **SEPARATE,
            "attention.output": "self_attn.out_proj",
            "attention_norm": "self_attn_layer_norm",
            "feed_forward_norm": "final_layer_norm",
            "feed_forward.up": "fc1",
            "feed_forward.down": "fc2",
        },
    ),
}

OPT = Pair(
    "opt",
    """
name: opt
family: decoder-only
vocab_size: 64
max_positions: 48
d_model: 32
layers: 2
positions: {type: learned, offset: 2, skip_padding: mask}
attention: {heads: 4}
feed_forward: {d_ff: 48, activation: relu}
head: {type: language_model, tied: true}
""",
    lambda: small(
        hf.OPTConfig,
        hf.OPTForCausalLM,
        intermediate_size=None,
        ffn_dim=48,
        word_embed_proj_dim=32,
    ),
    OPT_TABLE,
    places=False,
)

OPT_350M = Pair(
    "opt with a narrow table",
    """
name: opt-350m
family: decoder-only
vocab_size: 64
max_positions: 48
d_model: 32
layers: 2
bias: false
norm_placement: post
input: {width: 24, project: before_positions}
output_width: 24
positions: {type: learned, offset: 2, skip_padding: mask}
attention: {heads: 4, bias: true}
feed_forward: {d_ff: 48, activation: relu, bias: true}
head: {type: language_model, tied: true}
""",
    lambda: small(
        hf.OPTConfig,
        hf.OPTForCausalLM,
        intermediate_size=None,
        ffn_dim=48,
        word_embed_proj_dim=24,
        do_layer_norm_before=False,
    ),
    OPT_TABLE,
    places=False,
)

DECODERS = (
    GPT2,
    GPT2_BY_LAYER,
    GPT_NEOX,
    GPTJ,
    PHI,
    FALCON,
    BLOOM,
    BLOOM_SIX,
    OPT,
    OPT_350M,
)
