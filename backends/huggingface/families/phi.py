"""Phi (Li et al., 2023, arXiv:2309.05463) and Phi-3 (Abdin et al., 2024, arXiv:2404.14219)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..layouts import Layout
from ..rotary import Rotary
from ..values import IfSet, Key, Values, activation
from .llama import UNUSED, llama_like
from .rows import QKV, TOKENS_TOO, causal_heads, mask_of

_BIASED: dict[str, Any] = {
    "head": {"type": "language_model", "tied": Key("tie_word_embeddings"), "bias": True}
}

PHI = llama_like(
    "phi",
    "Phi",
    defaults={
        "vocab_size": 51200,
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 24,
        "hidden_act": "gelu_new",
        "layer_norm_eps": 1e-5,
        "embd_pdrop": 0.0,
        "resid_pdrop": 0.0,
        "qk_layernorm": False,
    },
    without=["rms_norm_eps"],
    spec={
        "bias": None,
        "dropout": Key("resid_pdrop"),
        "input": {"dropout": Key("embd_pdrop")},
        "norm": {"type": "layernorm", "eps": Key("layer_norm_eps")},
        "positions": Rotary(fraction=0.5),
        "residual": {"type": "parallel", "shared_norm": True},
        "attention": {"qk_norm": IfSet("qk_layernorm", "head")},
        "feed_forward": {
            "type": "mlp",
            "hidden": Key("intermediate_size"),
            "activation": activation("hidden_act"),
        },
    },
    names={
        "norm": "final_layernorm",
        "layers.{}.norm": "layers.{}.input_layernorm",
        "layers.{}.attention.output": "layers.{}.self_attn.dense",
        "layers.{}.attention.query_norm": "layers.{}.self_attn.q_layernorm",
        "layers.{}.attention.key_norm": "layers.{}.self_attn.k_layernorm",
        "layers.{}.feed_forward.up": "layers.{}.mlp.fc1",
        "layers.{}.feed_forward.down": "layers.{}.mlp.fc2",
    },
    heads=causal_heads("Phi", spec=_BIASED, tasks=TOKENS_TOO),
)

# -- Phi-3 and Phi-4


def _rotary_3(values: Values) -> dict[str, Any]:
    """The first length stands outside of the parameters, and wins there."""
    first = {"original_max_position_embeddings": values["original_max_position_embeddings"]}
    scaled = {**(values.get("rope_scaling") or {}), **(values.get("rope_parameters") or {})}
    if scaled.get("rope_type", scaled.get("type", "default")) == "default":
        return Rotary(partial=True)(values)
    return Rotary(partial=True)({**values, "rope_parameters": {**scaled, **first}})


PHI3 = llama_like(
    "phi3",
    "Phi3",
    defaults={
        "vocab_size": 32064,
        "hidden_size": 3072,
        "intermediate_size": 8192,
        "rms_norm_eps": 1e-5,
        "max_position_embeddings": 4096,
        "original_max_position_embeddings": 4096,
        "eos_token_id": 32000,
        "pad_token_id": 32000,
        "embd_pdrop": 0.0,
        "resid_pdrop": 0.0,
    },
    optional={"sliding_window": int},
    fixed={"attention_bias": False, "mlp_bias": False, "lm_head_bias": False, "full_attn_mod": 1},
    irrelevant=frozenset(["interpolate_factor"]),
    spec={
        "dropout": Key("resid_pdrop"),
        "input": {"dropout": Key("embd_pdrop")},
        "positions": _rotary_3,
    },
    layers=lambda values: [("block", {"mask": mask_of("sliding_attention", values)})],
    names={
        QKV: "layers.{}.self_attn.qkv_proj",
        ("layers.{}.feed_forward.gate", "layers.{}.feed_forward.up"): Layout(
            "layers.{}.mlp.gate_up_proj"
        ),
    },
    heads=causal_heads("Phi3", tasks=TOKENS_TOO),
)

# Phi-4 multimodal (Abouelenin et al., 2025, arXiv:2503.01743): the text alone is read

PHI4_MULTIMODAL = replace(
    PHI3,
    model_type="phi4_multimodal",
    defaults={
        **PHI3.defaults,
        "vocab_size": 200064,
        "num_key_value_heads": 8,
        "max_position_embeddings": 131072,
        "pad_token_id": 199999,
        "bos_token_id": 199999,
        "eos_token_id": [199999, 200020],
    },
    irrelevant=PHI3.irrelevant
    | {"audio_config", "audio_processor", "embd_layer", "img_processor", "speech_lora"}
    | {"vision_config", "vision_lora"},
    unused=(*UNUSED, r"embed_tokens_extend\..*"),
    heads={
        name: replace(head, partial=True)
        for name, head in causal_heads("Phi4Multimodal", tasks=()).items()
    },
    note="The text alone: images and sounds are not read here",
)

FAMILIES = (PHI, PHI3, PHI4_MULTIMODAL)
