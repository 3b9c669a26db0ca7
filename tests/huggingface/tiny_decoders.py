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
LONG = {
    "original_max_position_embeddings": 8,
    "rope_parameters": {
        "rope_type": "longrope",
        "rope_theta": 1e4,
        "short_factor": [1.0, 1.5, 2.0, 2.5],
        "long_factor": [2.0, 2.5, 3.0, 8.0],
    },
}

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
    "phi plain": ("PhiForCausalLM", SIZES),
    "phi3": ("Phi3ForCausalLM", {**GROUPED, **WINDOW}),
    "phi3 longrope": ("Phi3ForCausalLM", {**SIZES, **LONG}),
    "olmo": ("OlmoForCausalLM", {**GROUPED, "clip_qkv": 0.2}),
    "olmo2": ("Olmo2ForCausalLM", GROUPED),
    "olmo3": ("Olmo3ForCausalLM", {**GROUPED, **WINDOW, "num_hidden_layers": 5}),
    "cohere": ("CohereForCausalLM", {**GROUPED, "use_qk_norm": True}),
    "cohere plain": ("CohereForCausalLM", SIZES),
    "cohere2": ("Cohere2ForCausalLM", {**GROUPED, **WINDOW}),
}


def tiny(case: str) -> torch.nn.Module:
    """The model of a case, in eval mode."""
    name, config = DECODERS[case]
    torch.manual_seed(1)
    model = getattr(transformers, name)
    built: torch.nn.Module = model(model.config_class(**config))
    return built.eval()
