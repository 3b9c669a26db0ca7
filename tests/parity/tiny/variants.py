"""Settings that real checkpoints use and that differ from the defaults of their type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .cases import Case
from .sizes import WINDOW

_SHORT = 16
"""How many positions a model knew before its RoPE was stretched: fewer than the tests have."""


def _rope(kind: str, **parameters: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 10000.0, **parameters}}


_LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
_YARN = {"factor": 4.0, "original_max_position_embeddings": _SHORT}
_LONGROPE = {
    "short_factor": [1.0 + 0.1 * i for i in range(8)],
    "long_factor": [2.0 + 0.3 * i for i in range(8)],
    "original_max_position_embeddings": 32,
}
_FALCON_RW = {"parallel_attn": False, "multi_query": False, "bias": True}

_BRANCHES = ("full_attn", "linear_attn", "mlp")

VARIANTS: Mapping[tuple[str, str], Mapping[str, Mapping[str, Any]]] = {
    ("albert", "masked_lm"): {
        "groups": {"num_hidden_layers": 4, "num_hidden_groups": 2, "inner_group_num": 2},
        "untied": {"tie_word_embeddings": False},
    },
    ("apertus1p5_text", "causal_lm"): {"fewer-words": {"output_vocab_size": 80}},
    ("bart", "seq2seq_lm"): {
        "scaled": {"scale_embedding": True},
        "untied": {"tie_word_embeddings": False},
    },
    ("beit", "base"): {
        "relative": {
            "use_absolute_position_embeddings": False,
            "use_relative_position_bias": True,
        },
        "shared-relative": {
            "use_absolute_position_embeddings": True,
            "use_shared_relative_position_bias": True,
        },
    },
    ("blenderbot-small", "seq2seq_lm"): {"scaled": {"scale_embedding": True}},
    ("cohere", "causal_lm"): {"qk-norm": {"use_qk_norm": True}},
    ("deberta", "masked_lm"): {
        "absolute": {"relative_attention": False, "position_biased_input": True},
    },
    ("deberta-v2", "masked_lm"): {
        "plain": {"share_att_key": False, "conv_kernel_size": 0, "position_buckets": -1},
    },
    ("deepseek_v2", "causal_lm"): {"lite": {"topk_method": "greedy", "q_lora_rank": None}},
    ("deepseek_v3", "causal_lm"): {
        "yarn": _rope("yarn", **_YARN, mscale=1.0, mscale_all_dim=1.0, beta_fast=32, beta_slow=1),
    },
    ("dots1", "causal_lm"): {
        "window": {"max_window_layers": 1, "sliding_window": WINDOW, "num_hidden_layers": 3},
    },
    ("ernie4_5_moe", "causal_lm"): {
        "interval": {"moe_layer_interval": 2, "num_hidden_layers": 4, "use_bias": True},
    },
    ("esm", "masked_lm"): {
        "plain": {"token_dropout": False},
        "learned": {"token_dropout": False, "position_embedding_type": "absolute"},
    },
    ("dinov2", "base"): {"swiglu": {"use_swiglu_ffn": True}},
    ("falcon", "causal_lm"): {
        "40b": {"new_decoder_architecture": True, "num_kv_heads": 2},
        "rw": {**_FALCON_RW, "alibi": False},
        "rw-alibi": {**_FALCON_RW, "alibi": True},
    },
    ("gemma", "causal_lm"): {"multi-query": {"num_key_value_heads": 1}},
    ("gpt2", "causal_lm"): {"scaled-by-layer": {"scale_attn_by_inverse_layer_idx": True}},
    ("gpt_bigcode", "causal_lm"): {"mha": {"multi_query": False}},
    ("gpt_neox", "causal_lm"): {"sequential": {"use_parallel_residual": False}},
    ("llama", "causal_lm"): {
        "biases": {"attention_bias": True, "mlp_bias": True},
        "dynamic": {**_rope("dynamic", factor=4.0), "max_position_embeddings": 10},
        "head-dim": {"head_dim": 24},
        "linear": _rope("linear", factor=4.0),
        "llama3": _rope("llama3", **_LLAMA3, original_max_position_embeddings=32),
        "mha": {"num_key_value_heads": 4},
        "grouped": {"num_key_value_heads": 2},
        "tied": {"tie_word_embeddings": True},
        "yarn": _rope("yarn", **_YARN),
        "yarn-mscale": _rope("yarn", **_YARN, mscale=0.7, mscale_all_dim=1.2),
    },
    ("longt5", "seq2seq_lm"): {"local": {"local_radius": 3}},
    ("llama4_text", "causal_lm"): {
        "steps": {"floor_scale": 3, "attn_scale": 0.6},
        "unchunked": {"attention_chunk_size": None, "layer_types": ["full_attention"] * 4},
        "scout": _rope(
            "llama3",
            **{**_LLAMA3, "high_freq_factor": 1.0},
            original_max_position_embeddings=32,
        ),
    },
    ("mistral", "causal_lm"): {
        "no-window": {"sliding_window": None},
        "window-4": {"sliding_window": 4},
    },
    ("ministral3", "causal_lm"): {
        "steps": {
            **_rope(
                "yarn", factor=4.0, original_max_position_embeddings=5, llama_4_scaling_beta=0.5
            ),
            "sliding_window": WINDOW,
        },
    },
    ("minimax", "causal_lm"): {
        "weighed": {
            **dict.fromkeys([f"{one}_alpha_factor" for one in _BRANCHES], 1.7),
            **dict.fromkeys([f"{one}_beta_factor" for one in _BRANCHES], 0.6),
            "block_size": 5,
        },
        "lightning": {"layer_types": ["linear_attention"] * 4},
    },
    ("minimax_m2", "causal_lm"): {"partial": _rope("default", partial_rotary_factor=0.5)},
    ("mixtral", "causal_lm"): {"window": {"sliding_window": WINDOW}},
    ("mllama", "causal_lm"): {
        "crossed": {"num_hidden_layers": 4, "cross_attention_layers": [1, 3]},
    },
    ("mpt", "causal_lm"): {
        "clipped": {"attn_config": {"clip_qkv": 0.5, "attn_impl": "eager"}},
    },
    ("olmo", "causal_lm"): {"clipped": {"clip_qkv": 0.5}},
    ("opt", "causal_lm"): {"350m": {"do_layer_norm_before": False}},
    ("phi", "causal_lm"): {"qk-norm": {"qk_layernorm": True}},
    ("phimoe", "causal_lm"): {
        "longrope": _rope("longrope", **_LONGROPE, short_mscale=1.2, long_mscale=1.4),
    },
    ("phi3", "causal_lm"): {
        "grouped": {"num_key_value_heads": 2},
        "longrope": _rope("longrope", **_LONGROPE),
        "longrope-long": _rope("longrope", **{**_LONGROPE, "original_max_position_embeddings": 8}),
        "longrope-crossed": _rope(  # while it generates, not before
            "longrope", **{**_LONGROPE, "original_max_position_embeddings": 19}
        ),
        "partial": _rope("default", partial_rotary_factor=0.5),
    },
    ("qwen2", "causal_lm"): {
        "window": {
            "use_sliding_window": True,
            "sliding_window": WINDOW,
            "max_window_layers": 1,
            "num_hidden_layers": 3,
        },
    },
    ("qwen2_moe", "causal_lm"): {
        "window": {
            "use_sliding_window": True,
            "sliding_window": WINDOW,
            "mlp_only_layers": [0],
            "num_hidden_layers": 4,
        },
    },
    ("qwen3", "causal_lm"): {
        "window": {"use_sliding_window": True, "sliding_window": WINDOW, "max_window_layers": 1},
    },
    ("qwen3_moe", "causal_lm"): {
        "sparse-step": {"decoder_sparse_step": 2, "num_hidden_layers": 4},
    },
    ("roberta", "masked_lm"): {"untied": {"tie_word_embeddings": False}},
    ("stablelm", "causal_lm"): {
        "parallel": {"use_parallel_residual": True, "qk_layernorm": True},
        "biases": {"use_qkv_bias": True},
    },
    ("t5", "seq2seq_lm"): {
        "v1.1": {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    },
    ("umt5", "seq2seq_lm"): {"untied": {"tie_word_embeddings": False}},
}


def variant_cases() -> list[Case]:
    """Every setting of the table, as a case of its type and head."""
    return [
        Case(kind, head, variant, over)
        for (kind, head), settings in VARIANTS.items()
        for variant, over in settings.items()
    ]
