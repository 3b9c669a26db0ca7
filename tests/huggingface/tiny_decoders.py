"""The smallest models of each kind of decoder, with what each kind may do."""

from __future__ import annotations

from typing import Any

import torch
import transformers

SIZES: dict[str, Any] = {
    "vocab_size": 40,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 20,
    "pad_token_id": None,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
GROUPED = {**SIZES, "num_key_value_heads": 2}
WIDE = {**GROUPED, "head_dim": 16}
WINDOW = {"num_hidden_layers": 4, "sliding_window": 5}
PARTIAL = {
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 0.5}
}
LONG: dict[str, Any] = {
    "original_max_position_embeddings": 8,
    "rope_parameters": {
        "rope_type": "longrope",
        "rope_theta": 1e4,
        "short_factor": [1.0, 1.5, 2.0, 2.5],
        "long_factor": [2.0, 2.5, 3.0, 8.0],
    },
}
MULTIPLIERS = {
    "embedding_multiplier": 3.0,
    "attention_multiplier": 0.3,
    "residual_multiplier": 0.7,
    "logits_scaling": 4.0,
}
ALPHA = {
    "rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "alpha": 7.0, "factor": 1.0}
}
GPT = {
    "vocab_size": 40,
    "n_embd": 32,
    "n_inner": 48,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 20,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
NO_LAYERS = {
    k: v for k, v in SIZES.items() if k not in ("num_hidden_layers", "num_attention_heads")
}
BLOOM = {"vocab_size": 40, "hidden_size": 32, "n_layer": 2, "n_head": 4}
MPT = {"vocab_size": 40, "d_model": 48, "n_layers": 2, "n_heads": 6, "max_seq_len": 20}
FALCON = {
    **{k: v for k, v in SIZES.items() if k != "intermediate_size"},
    "ffn_hidden_size": 48,
    "attn_implementation": "sdpa",  # eager attention adds ALiBi twice
}
OPT = {
    **{k: v for k, v in SIZES.items() if k != "intermediate_size"},
    "ffn_dim": 48,
    "word_embed_proj_dim": 32,
    "pad_token_id": 1,
}
FAIRSEQ = {
    "vocab_size": 40,
    "d_model": 32,
    "ffn_dim": 48,
    "max_position_embeddings": 20,
    "pad_token_id": 1,
}
LATENT = {
    "q_lora_rank": 12,
    "kv_lora_rank": 10,
    "qk_nope_head_dim": 6,
    "qk_rope_head_dim": 4,
    "v_head_dim": 5,
}
YARN = {"rope_type": "yarn", "rope_theta": 1e4, "original_max_position_embeddings": 8}

DECODERS: dict[str, tuple[str, dict[str, Any]]] = {
    "gemma": ("GemmaForCausalLM", WIDE),
    "gemma classes": ("GemmaForSequenceClassification", {**WIDE, "pad_token_id": 0}),
    "gemma classes of tokens": ("GemmaForTokenClassification", {**WIDE, "num_labels": 3}),
    "gemma2": ("Gemma2ForCausalLM", {**WIDE, **WINDOW, "query_pre_attn_scalar": 24}),
    "gemma3_text": (
        "Gemma3ForCausalLM",
        {**WIDE, **WINDOW, "num_hidden_layers": 7, "final_logit_softcapping": 5.0},
    ),
    "gemma3_text bare": ("Gemma3TextModel", {**WIDE, **WINDOW}),
    "vaultgemma": ("VaultGemmaForCausalLM", {**WIDE, **WINDOW}),
    "phi": ("PhiForCausalLM", {**GROUPED, **PARTIAL, "qk_layernorm": True}),
    "phi3": ("Phi3ForCausalLM", {**GROUPED, **WINDOW}),
    "phi3 longrope": ("Phi3ForCausalLM", {**SIZES, **LONG}),
    "olmo": ("OlmoForCausalLM", {**GROUPED, "clip_qkv": 0.2}),
    "olmo3": ("Olmo3ForCausalLM", {**GROUPED, **WINDOW, "num_hidden_layers": 5}),
    "cohere": ("CohereForCausalLM", {**GROUPED, "use_qk_norm": True}),
    "cohere2": ("Cohere2ForCausalLM", {**GROUPED, **WINDOW}),
    "stablelm": ("StableLmForCausalLM", {**GROUPED, "use_qkv_bias": True}),
    "stablelm parallel": (
        "StableLmForCausalLM",
        {**GROUPED, "use_parallel_residual": True, "qk_layernorm": True},
    ),
    "starcoder2": ("Starcoder2ForCausalLM", {**GROUPED, "sliding_window": 5}),
    "nemotron answers": ("NemotronForQuestionAnswering", WIDE),
    "ernie4_5": ("Ernie4_5ForCausalLM", {**WIDE, "use_bias": True}),
    "helium": ("HeliumForCausalLM", {**GROUPED, "head_dim": 8, "attention_bias": True}),
    "granite": ("GraniteForCausalLM", {**GROUPED, **MULTIPLIERS}),
    "hyperclovax": ("HyperCLOVAXForCausalLM", {**WIDE, **MULTIPLIERS}),
    "granite_swa": (
        "GraniteSWAForCausalLM",
        {**GROUPED, **MULTIPLIERS, **WINDOW, "layer_rope_theta": [1e4, 100.0, 0, 1000.0]},
    ),
    "granite_swa plain": ("GraniteSWAForCausalLM", {**GROUPED, **WINDOW}),
    "apertus": ("ApertusForCausalLM", {**GROUPED, "attention_bias": True}),
    "diffllama": ("DiffLlamaForCausalLM", {**GROUPED, "attention_bias": True}),
    "smollm3": ("SmolLM3ForCausalLM", {**GROUPED, "num_hidden_layers": 4}),
    "smollm3 windows": (
        "SmolLM3ForCausalLM",
        {**GROUPED, **WINDOW, "use_sliding_window": True, "no_rope_layers": [0, 1, 1, 0]},
    ),
    "exaone4": ("Exaone4ForCausalLM", {**GROUPED, **WINDOW}),
    "exaone4 full": (
        "Exaone4ForCausalLM",
        {**GROUPED, "sliding_window": None, "layer_types": ["full_attention"] * 2},
    ),
    "seed_oss": ("SeedOssForCausalLM", {**WIDE, "attention_out_bias": True}),
    "hunyuan_v1_dense": ("HunYuanDenseV1ForCausalLM", {**WIDE, **ALPHA}),
    "internlm3": ("LlamaForCausalLM", {**WIDE, "config": "InternLM3Config"}),
    "iquestcoder": ("LlamaForCausalLM", {**WIDE, "config": "IQuestCoderConfig"}),
    "ministral": ("MinistralForCausalLM", {**WIDE, **WINDOW}),
    "cwm": ("CwmForCausalLM", {**WIDE, **WINDOW}),
    "gpt2 by layer": ("GPT2LMHeadModel", {**GPT, "scale_attn_by_inverse_layer_idx": True}),
    "gpt2 plain": ("GPT2LMHeadModel", {**GPT, "scale_attn_weights": False}),
    "gpt_bigcode many": ("GPTBigCodeForCausalLM", {**GPT, "multi_query": False}),
    "gpt_neo": (
        "GPTNeoForCausalLM",
        {
            **NO_LAYERS,
            "num_layers": 4,
            "num_heads": 4,
            "attention_types": [[["global", "local"], 2]],
            "window_size": 5,
        },
    ),
    "gptj": ("GPTJForCausalLM", {**GPT, "rotary_dim": 4}),
    "gptj answers": ("GPTJForQuestionAnswering", {**GPT, "rotary_dim": 4}),
    "codegen": ("CodeGenForCausalLM", {**GPT, "n_head": 8, "n_embd": 64, "rotary_dim": 4}),
    "gpt_neox_japanese": (
        "GPTNeoXJapaneseForCausalLM",
        {k: v for k, v in SIZES.items() if k != "intermediate_size"},
    ),
    "bloom classes": ("BloomForSequenceClassification", {**BLOOM, "pad_token_id": 0}),
    "bloom normed": (
        "BloomForCausalLM",
        {**BLOOM, "apply_residual_connection_post_layernorm": True},
    ),
    "mpt clipped": (
        "MptForCausalLM",
        {**MPT, "attn_config": {"clip_qkv": 0.2, "softmax_scale": 0.3}},
    ),
    "falcon": ("FalconForCausalLM", FALCON),
    "falcon 40b": (
        "FalconForCausalLM",
        {**FALCON, "new_decoder_architecture": True, "num_kv_heads": 2},
    ),
    "falcon 11b": (
        "FalconForCausalLM",
        {
            **FALCON,
            "new_decoder_architecture": True,
            "num_kv_heads": 2,
            "num_ln_in_parallel_attn": 1,
        },
    ),
    "falcon rw": (
        "FalconForCausalLM",
        {**FALCON, "alibi": True, "multi_query": False, "parallel_attn": False, "bias": True},
    ),
    "opt": ("OPTForCausalLM", OPT),
    "opt 350m": (
        "OPTForCausalLM",
        {**OPT, "word_embed_proj_dim": 24, "do_layer_norm_before": False},
    ),
    "opt 350m bare": (
        "OPTModel",
        {**OPT, "word_embed_proj_dim": 24, "do_layer_norm_before": False},
    ),
    "opt bare": ("OPTModel", {**OPT, "enable_bias": False, "layer_norm_elementwise_affine": False}),
    "xglm": ("XGLMForCausalLM", {**FAIRSEQ, "num_layers": 2, "attention_heads": 4}),
    "biogpt": ("BioGptForCausalLM", {**SIZES, "pad_token_id": 1}),
    "biogpt classes": ("BioGptForSequenceClassification", {**SIZES, "pad_token_id": 1}),
    "trocr": (
        "TrOCRForCausalLM",
        {
            **{k: v for k, v in FAIRSEQ.items() if k != "ffn_dim"},
            "decoder_layers": 2,
            "decoder_attention_heads": 4,
            "decoder_ffn_dim": 48,
            "scale_embedding": True,
        },
    ),
    "ctrl": (
        "CTRLLMHeadModel",
        {**{k: v for k, v in GPT.items() if k != "n_inner"}, "dff": 48},
    ),
    "minicpm3": ("MiniCPM3ForCausalLM", {**SIZES, **LATENT, "scale_emb": 3, "dim_model_base": 8}),
    "youtu": ("YoutuForCausalLM", {**SIZES, **LATENT, "initializer_range": 0.02}),
    "youtu narrow": ("YoutuForCausalLM", {**SIZES, **LATENT, "q_lora_rank": None}),
    "modernbert-decoder": (
        "ModernBertDecoderForCausalLM",
        {**SIZES, "num_hidden_layers": 4, "pad_token_id": 0, "local_attention": 8},
    ),
    "bert-generation": ("BertGenerationDecoder", {**SIZES, "is_decoder": True}),
    "bert-generation bare": ("BertGenerationEncoder", SIZES),
    "llama dynamic": (
        "LlamaForCausalLM",
        {
            **GROUPED,
            "max_position_embeddings": 8,
            "rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0},
        },
    ),
    "llama yarn": ("LlamaForCausalLM", {**GROUPED, "rope_parameters": {**YARN, "factor": 2.5}}),
    "llama yarn factor": (
        "LlamaForCausalLM",
        {**GROUPED, "rope_parameters": {**YARN, "factor": 2.5, "attention_factor": 1.3}},
    ),
    "phi3 longrope factor": (
        "Phi3ForCausalLM",
        {**SIZES, **LONG, "rope_parameters": {**LONG["rope_parameters"], "attention_factor": 1.4}},
    ),
    "emu3_text_model": ("Emu3ForCausalLM", {**GROUPED, "pad_token_id": 0}),
    "fuyu": ("FuyuForCausalLM", {**SIZES, "text_config": {**SIZES, "model_type": "persimmon"}}),
    "bert that writes": ("BertLMHeadModel", {**SIZES, "is_decoder": True}),
    "electra that writes": ("ElectraForCausalLM", {**SIZES, "is_decoder": True}),
}
"""Settings and heads; a plain model of every type is among those of `tests/parity/tiny`."""


def tiny(case: str) -> torch.nn.Module:
    """The model of a case, in eval mode."""
    name, changes = DECODERS[case]
    model = getattr(transformers, name)
    config = getattr(transformers, changes.get("config", model.config_class.__name__))
    torch.manual_seed(1)
    built: torch.nn.Module = model(config(**{k: v for k, v in changes.items() if k != "config"}))
    return built.eval()
