"""Fields of single types: sizes that depend on one another, patterns, parts of a config.

By the `model_type` of the config, or of the part of a config, that they belong to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .images import IMAGE_FIELDS
from .sizes import FEED_FORWARD, HEADS, LAYERS, POSITIONS, VOCAB, WIDTH, WINDOW

SLIDING, FULL, LINEAR = "sliding_attention", "full_attention", "linear_attention"
HALF_ROPE = {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5}
PLAIN_ROPE = {"rope_type": "default", "rope_theta": 10000.0}

_MULTIPLIERS = {
    "embedding_multiplier": 12.0,
    "residual_multiplier": 0.22,
    "logits_scaling": 8.0,
    "attention_multiplier": 0.03,
}
_DISENTANGLED = {
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
    "max_relative_positions": -1,
}
_BERT_PART = {
    "model_type": "bert",
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": FEED_FORWARD,
    "vocab_size": VOCAB,
    "max_position_embeddings": POSITIONS,
    "pad_token_id": 0,
}
_BYTES = {"vocab_size": 260, "intermediate_size": FEED_FORWARD}


def _layers(*kinds: str) -> dict[str, Any]:
    return {"num_hidden_layers": len(kinds), "layer_types": list(kinds)}


def _blocks(*kinds: str) -> dict[str, Any]:
    return {"num_hidden_layers": len(kinds), "layers_block_type": list(kinds)}


SPECIAL_FIELDS: Mapping[str, Mapping[str, Any]] = {
    **IMAGE_FIELDS,
    # Decoders.
    "cohere_compass_text": {
        **_layers(SLIDING, SLIDING, SLIDING, FULL),
        "rope_parameters": {SLIDING: PLAIN_ROPE, FULL: None},
    },
    "dory": {**_layers(SLIDING, FULL, SLIDING, FULL), "n_input_layers": 1, "n_output_layers": 1},
    "inkling2_text": {"unpadded_vocab_size": VOCAB},
    "inkling2_loop_text": {
        "num_hidden_layers": 4,
        "unpadded_vocab_size": VOCAB,
        "n_layers_per_attn_res_block": 1,
        "loop_layer_index_start": 1,
        "loop_layer_index_end": 3,
    },
    "dbrx": {
        "ffn_config": {
            "ffn_hidden_size": FEED_FORWARD,
            "moe_num_experts": 4,
            "moe_top_k": 2,
            "hidden_size": WIDTH,
        },
        "attn_config": {"kv_n_heads": 2, "clip_qkv": 1.0, "rope_theta": 10000.0},
    },
    "deepseek_v2": {
        "topk_method": "group_limited_greedy",
        "n_routed_experts": 4,
        "n_shared_experts": 1,
        "num_experts_per_tok": 2,
        "n_group": 2,
        "topk_group": 1,
        "first_k_dense_replace": 1,
        "routed_scaling_factor": 1.5,
    },
    # As many keys are chosen as the texts have: of files of the hub, 2048.
    "deepseek_v32": {"index_topk": 32},
    "glm_moe_dsa": {"index_topk": 32},
    "deepseek_v3": {
        "n_routed_experts": 8,
        "num_experts_per_tok": 3,
        "n_group": 4,
        "topk_group": 2,
    },
    "dots1": {
        "n_routed_experts": 4,
        "n_shared_experts": 1,
        "num_experts_per_tok": 2,
        "first_k_dense_replace": 1,
        "norm_topk_prob": True,
    },
    "exaone4": {
        **_layers(SLIDING, SLIDING, SLIDING, FULL),
        "sliding_window_pattern": 4,
        "num_key_value_heads": 2,
    },
    "gemma3_text": _layers(SLIDING, SLIDING, SLIDING, FULL),
    "gemma3n_text": {
        **_layers(SLIDING, FULL, SLIDING, FULL),
        "num_kv_shared_layers": 2,
        "intermediate_size": [FEED_FORWARD] * 4,
        "activation_sparsity_pattern": [0.95, 0.0, 0.0, 0.0],
        "head_dim": 24,
    },
    "gemma4_text": {
        **_layers(SLIDING, FULL, SLIDING, FULL),
        "num_kv_shared_layers": 2,
        "global_head_dim": 32,
        "head_dim": 24,
        "enable_moe_block": True,
        "num_experts": 4,
        "top_k_experts": 2,
        "moe_intermediate_size": 32,
    },
    "gpt_neo": {"attention_types": [[["global", "local"], 2]], "num_layers": 4},
    "gpt_oss": {**_layers(SLIDING, FULL), "head_dim": 24},
    "granite": _MULTIPLIERS,
    "granitemoe": _MULTIPLIERS,
    "hunyuan_v1_dense": {"head_dim": 16},
    "hunyuan_v1_moe": {"head_dim": 16},
    "longcat_flash": {"head_dim": 8},
    "ministral": {**_layers(SLIDING, FULL), "head_dim": 16, "sliding_window": WINDOW},
    "mistral": {"sliding_window": WINDOW},
    "mpt": {"attn_config": None},
    "nemotron": {"head_dim": 16, "num_key_value_heads": 2},
    "phi": {"rope_parameters": HALF_ROPE},
    "phimoe": {"lm_head_bias": True, "attention_bias": True},
    "qwen3_moe": {"norm_topk_prob": True},
    "smollm3": {**_layers(FULL, FULL, FULL, FULL), "no_rope_layers": [1, 1, 1, 0]},
    "starcoder2": {"sliding_window": WINDOW},
    "zaya": {"num_experts_per_tok": 1},
    # Decoders with layers that do not attend.
    "bamba": {"attn_layer_indices": [1], "num_hidden_layers": 3},
    "granitemoehybrid": _layers(LINEAR, FULL, LINEAR, FULL),
    "jamba": {
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "expert_layer_period": 2,
        "expert_layer_offset": 1,
        "num_hidden_layers": 4,
        "use_mamba_kernels": False,
    },
    "lfm2_moe": _layers("conv", FULL, "conv", FULL),
    "mamba2": {"num_heads": 8, "head_dim": 16, "n_groups": 1},
    "qwen4_exp_text": {
        **_layers(LINEAR, "indexed_attention"),
        "indexer_n_heads": 2,
        "indexer_kv_heads": 1,
        "indexer_head_dim": 16,
        "indexer_budget": 4,
        "indexer_compress_ratio": 2,
        "hc_count": 2,
        "hc_lowrank": 8,
        "head_dim": 24,
        "rope_parameters": HALF_ROPE,
    },
    "xlstm": {"embedding_dim": WIDTH, "hidden_size": WIDTH, "num_heads": 4, "chunk_size": 16},
    "zamba": {**_blocks(LINEAR, LINEAR, "hybrid", LINEAR, "hybrid"), "use_mamba_kernels": False},
    "zamba2": {
        **_blocks(LINEAR, "hybrid", LINEAR, "hybrid"),
        "n_mamba_heads": 8,
        "use_mamba_kernels": False,
        "num_key_value_heads": 4,
    },
    # Encoders.
    "albert": {"embedding_size": 48},
    "deberta": _DISENTANGLED,
    "deberta-v2": {
        **_DISENTANGLED,
        "position_buckets": 8,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "conv_kernel_size": 3,
        "conv_act": "gelu",
    },
    "esm": {
        "vocab_size": VOCAB,
        "position_embedding_type": "rotary",
        "pad_token_id": 0,
        "mask_token_id": 3,
        "emb_layer_norm_before": False,
        "token_dropout": True,
    },
    "flaubert": {"causal": False},
    "funnel": {"block_sizes": [2, 2], "d_head": 16, "num_decoder_layers": 2},
    "longformer": {"attention_window": 8},
    "mobilebert": {
        "hidden_size": WIDTH,
        "embedding_size": 32,
        "intra_bottleneck_size": 32,
        "true_hidden_size": 32,
    },
    "mpnet": {"pad_token_id": 1},  # whatever the config says, the class takes 1
    "reformer": {
        "attn_layers": ["local", "lsh", "local", "lsh"],
        "axial_pos_shape": [8, 8],
        "axial_pos_embds_dim": [24, 40],
        "lsh_attn_chunk_length": 8,
        "local_attn_chunk_length": 8,
        "num_buckets": 4,
        "is_decoder": True,
        "hash_seed": 0,
    },
    "roc_bert": {
        "pronunciation_vocab_size": 20,
        "shape_vocab_size": 20,
        "pronunciation_embed_dim": 16,
        "shape_embed_dim": 16,
    },
    "squeezebert": {"embedding_size": WIDTH},
    "xlm": {"causal": False},
    "xmod": {"default_language": "en_XX"},
    # Encoder-decoders.
    "encoder-decoder": {
        "encoder": _BERT_PART,
        "decoder": {**_BERT_PART, "is_decoder": True, "add_cross_attention": True},
    },
    "led": {"attention_window": 8},
    "whisper": {
        "max_source_positions": 16,
        "suppress_tokens": None,
        "begin_suppress_tokens": None,
    },
    # Parts of models of several kinds of input.
    "blt": {
        "vocab_size": 260,
        "patcher_config": _BYTES,
        "encoder_config": {**_BYTES, "hidden_size_global": WIDTH},
        "encoder_hash_byte_group_vocab": POSITIONS,
        "decoder_config": {**_BYTES, "hidden_size_global": WIDTH},
        "global_config": {"intermediate_size": FEED_FORWARD},
    },
    "nemo_speechlm": {"head_config": {"audio_hidden_size": WIDTH}},
    "vibevoice_acoustic_tokenizer_encoder": {
        "num_filters": 4,
        "downsampling_ratios": [2, 2],
        "depths": [1, 1, 1],
        "hidden_size": 16,
    },
}

OTHER_CONFIG: Mapping[str, str] = {"dots3_note": "dots3_note_text"}
"""Types whose config cannot be made small by its fields, and whose it is made from instead."""

PART_OF_CONFIG: Mapping[str, str] = {
    "emu3": "text_config",
    "llama4": "text_config",
    "mllama": "text_config",
    "musicgen": "decoder",
    "musicgen_melody": "decoder",
    "qwen3_5": "text_config",
    "qwen3_5_moe": "text_config",
    "qwen4_exp": "text_config",
}
"""Types of several parts whose causal class takes the config of one."""
