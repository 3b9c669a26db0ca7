"""Decoders with rotary positions that kept layer norms: StableLM (Bellagente et al., 2024,
arXiv:2402.17834), StarCoder 2 (Lozhkov et al., 2024, arXiv:2402.19173), Nemotron (Parmar et al.,
2024, arXiv:2402.16819), Persimmon (Adept, 2023) and Jais 2 (2025)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..layouts import Layout
from ..rotary import Rotary
from ..values import IfSet, Key, activation
from .llama import llama_like
from .rows import ALL_TASKS, QKV, TOKENS_TOO, causal_heads, mask_of

PROJECTED = ["query", "key", "value"]
LAYER_NORM = {"type": "layernorm", "eps": Key("layer_norm_eps")}
MLP: dict[str, Any] = {
    "type": "mlp",
    "hidden": Key("intermediate_size"),
    "activation": activation("hidden_act"),
}
_BIASED_MLP = {**MLP, "bias": Key("mlp_bias")}

STABLELM = llama_like(
    "stablelm",
    "StableLm",
    defaults={
        "vocab_size": 50304,
        "hidden_size": 2560,
        "intermediate_size": 6912,
        "num_key_value_heads": 32,
        "max_position_embeddings": 4096,
        "layer_norm_eps": 1e-5,
        "hidden_dropout": 0.0,
        "qk_layernorm": False,
        "use_parallel_residual": False,
        "use_qkv_bias": False,
        "bos_token_id": 0,
        "eos_token_id": 0,
    },
    without=["rms_norm_eps"],
    irrelevant=frozenset(["norm_eps", "rotary_scaling_factor"]),
    spec={
        "dropout": Key("hidden_dropout"),
        "input": {"dropout": 0},
        "norm": LAYER_NORM,
        "positions": Rotary(fraction=0.25),
        "residual": IfSet("use_parallel_residual", {"type": "parallel", "shared_norm": True}),
        "attention": {
            "bias": IfSet("use_qkv_bias", PROJECTED),
            "qk_norm": IfSet(
                "qk_layernorm", {"type": "per_head", "norm": {**LAYER_NORM, "bias": False}}
            ),
        },
    },
    names={
        "layers.{}.norm": "layers.{}.input_layernorm",
        "layers.{}.attention.query_norm": Layout("layers.{}.self_attn.q_layernorm.norms.{e}"),
        "layers.{}.attention.key_norm": Layout("layers.{}.self_attn.k_layernorm.norms.{e}"),
    },
    heads=causal_heads("StableLm", tasks=TOKENS_TOO),
)

STARCODER2 = llama_like(
    "starcoder2",
    "Starcoder2",
    defaults={
        "vocab_size": 49152,
        "hidden_size": 3072,
        "intermediate_size": 12288,
        "num_hidden_layers": 30,
        "num_attention_heads": 24,
        "num_key_value_heads": 2,
        "hidden_act": "gelu_pytorch_tanh",
        "max_position_embeddings": 4096,
        "initializer_range": 0.018042,
        "norm_epsilon": 1e-5,
        "use_bias": True,
        "residual_dropout": 0.0,
        "embedding_dropout": 0.0,
        "bos_token_id": 50256,
        "eos_token_id": 50256,
        "tie_word_embeddings": True,
    },
    optional={"sliding_window": int},
    without=["rms_norm_eps"],
    irrelevant=frozenset(
        [
            "activation_function",
            "attention_softmax_in_fp32",
            "layer_norm_epsilon",
            "mlp_type",
            "norm_type",
            "scale_attention_softmax_in_fp32",
            "scale_attn_weights",
        ]
    ),
    spec={
        "bias": Key("use_bias"),
        "dropout": Key("residual_dropout"),
        "input": {"dropout": Key("embedding_dropout")},
        "norm": {"type": "layernorm", "eps": Key("norm_epsilon")},
        "feed_forward": MLP,
    },
    layers=lambda values: [("block", {"mask": mask_of("sliding_attention", values)})],
    names={
        "layers.{}.feed_forward.up": "layers.{}.mlp.c_fc",
        "layers.{}.feed_forward.down": "layers.{}.mlp.c_proj",
    },
    heads=causal_heads("Starcoder2", tasks=TOKENS_TOO),
)

NEMOTRON = llama_like(
    "nemotron",
    "Nemotron",
    defaults={
        "vocab_size": 256000,
        "hidden_size": 6144,
        "intermediate_size": 24576,
        "num_attention_heads": 48,
        "head_dim": 128,
        "hidden_act": "relu2",
        "max_position_embeddings": 4096,
        "initializer_range": 0.0134,
        "norm_eps": 1e-5,
        "bos_token_id": 2,
        "eos_token_id": 3,
        "attention_bias": False,
        "mlp_bias": False,
    },
    without=["rms_norm_eps"],
    fixed={"rope_percent": 0.5},
    spec={
        "norm": {"type": "layernorm", "eps": Key("norm_eps"), "weight_offset": 1},
        "positions": Rotary(fraction=0.5),
        "attention": {"bias": Key("attention_bias")},
        "feed_forward": _BIASED_MLP,
    },
    heads=causal_heads("Nemotron", tasks=ALL_TASKS),
)

PERSIMMON = llama_like(
    "persimmon",
    "Persimmon",
    defaults={
        "vocab_size": 262144,
        "intermediate_size": 16384,
        "num_hidden_layers": 36,
        "num_attention_heads": 64,
        "hidden_act": "relu2",
        "max_position_embeddings": 16384,
        "layer_norm_eps": 1e-5,
        "hidden_dropout": 0.0,
        "qk_layernorm": True,
    },
    without=["rms_norm_eps"],
    spec={
        "bias": True,
        "dropout": Key("hidden_dropout"),
        "input": {"dropout": 0},
        "norm": LAYER_NORM,
        "positions": Rotary(fraction=0.5),
        "attention": {"qk_norm": IfSet("qk_layernorm", "head")},
        "feed_forward": MLP,
    },
    names={
        "norm": "final_layernorm",
        QKV: Layout("layers.{}.self_attn.query_key_value", groups=Key("num_attention_heads")),
        "layers.{}.attention.output": "layers.{}.self_attn.dense",
        "layers.{}.attention.query_norm": "layers.{}.self_attn.q_layernorm",
        "layers.{}.attention.key_norm": "layers.{}.self_attn.k_layernorm",
        "layers.{}.feed_forward.up": "layers.{}.mlp.dense_h_to_4h",
        "layers.{}.feed_forward.down": "layers.{}.mlp.dense_4h_to_h",
    },
    heads=causal_heads("Persimmon", tasks=TOKENS_TOO),
)

# Fuyu (Adept, 2023): Persimmon that reads patches of images among its tokens; here, the text alone
FUYU = replace(
    PERSIMMON,
    model_type="fuyu",
    inside="text_config",
    prefix="language_model.model.",
    unused=(r"vision_embed_tokens\..*",),
    heads=causal_heads("Fuyu", output="language_model.lm_head", tasks=()),
    note="The text alone: images are left out",
)

JAIS2 = llama_like(
    "jais2",
    "Jais2",
    defaults={
        "vocab_size": 150272,
        "hidden_size": 3328,
        "intermediate_size": 26624,
        "num_attention_heads": 26,
        "hidden_act": "relu2",
        "max_position_embeddings": 8192,
        "layer_norm_eps": 1e-5,
        "bos_token_id": 0,
        "eos_token_id": 150024,
        "attention_bias": True,
        "mlp_bias": True,
    },
    without=["rms_norm_eps"],
    spec={
        "norm": LAYER_NORM,
        "attention": {"bias": Key("attention_bias")},
        "feed_forward": _BIASED_MLP,
    },
    heads=causal_heads("Jais2", tasks=()),
)

FAMILIES = (STABLELM, STARCODER2, NEMOTRON, PERSIMMON, FUYU, JAIS2)
