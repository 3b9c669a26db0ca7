"""Llamas that differ in a row or two: Arcee, Seed-OSS, Hunyuan, InternLM 3, IQuest Coder, Emu 3
and BitNet (Ma et al., 2025, arXiv:2504.12285)."""

from __future__ import annotations

from typing import Any

from ..rotary import Rotary
from ..values import Key, Values
from .llama import llama_like
from .rows import ALL_TASKS, SEQUENCE, causal_heads
from .stablelm import MLP, PROJECTED

_BIASES: dict[str, Any] = {"attention_bias": False, "mlp_bias": False}
_BIASED: dict[str, Any] = {
    "attention": {"bias": Key("attention_bias")},
    "feed_forward": {"bias": Key("mlp_bias")},
}

ARCEE = llama_like(
    "arcee",
    "Arcee",
    defaults={
        **_BIASES,
        "hidden_size": 2560,
        "intermediate_size": 18432,
        "hidden_act": "relu2",
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-5,
        "bos_token_id": 128000,
        "eos_token_id": 128001,
    },
    spec={**_BIASED, "feed_forward": {**MLP, "bias": Key("mlp_bias")}},
    heads=causal_heads("Arcee", tasks=ALL_TASKS),
)


def _seed_bias(values: Values) -> list[str]:
    output = ["output"] if values["attention_out_bias"] else []
    return [*(PROJECTED if values["attention_bias"] else []), *output]


SEED_OSS = llama_like(
    "seed_oss",
    "SeedOss",
    defaults={
        "vocab_size": 155136,
        "intermediate_size": 27648,
        "num_hidden_layers": 64,
        "num_attention_heads": 80,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 524288,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "attention_dropout": 0.1,
        "residual_dropout": 0.1,
        "attention_bias": True,
        "attention_out_bias": False,
        "mlp_bias": False,
    },
    irrelevant=frozenset(["pretraining_tp"]),
    spec={
        "dropout": Key("residual_dropout"),
        "input": {"dropout": 0},
        "attention": {"bias": _seed_bias},
        "feed_forward": {"bias": Key("mlp_bias")},
    },
    heads=causal_heads("SeedOss", tasks=ALL_TASKS),
)


def hunyuan_rotary(values: Values) -> dict[str, Any]:
    """`alpha` of "dynamic" parameters grows theta once and for all."""
    said = Rotary().parameters(values)
    alpha = said.get("alpha")
    if said.get("rope_type", said.get("type")) != "dynamic" or not alpha:
        return Rotary()(values)
    width = values["head_dim"] or values["hidden_size"] // values["num_attention_heads"]
    theta = said.get("rope_theta", values["rope_theta"]) * alpha ** (width / (width - 2))
    return {"type": "rotary", "theta": theta}


HUNYUAN_NORMS = {
    "layers.{}.attention.query_norm": "layers.{}.self_attn.query_layernorm",
    "layers.{}.attention.key_norm": "layers.{}.self_attn.key_layernorm",
}
HUNYUAN_SPEC: dict[str, Any] = {
    "positions": hunyuan_rotary,
    "attention": {
        "bias": Key("attention_bias"),
        "qk_norm": {"type": "head", "after_positions": True},
    },
}

HUNYUAN = llama_like(
    "hunyuan_v1_dense",
    "HunYuanDenseV1",
    defaults={
        "vocab_size": 290943,
        "rms_norm_eps": 1e-5,
        "pad_token_id": 0,
        "attention_bias": False,
    },
    irrelevant=frozenset(["eod_token_id", "pretraining_tp"]),
    spec=HUNYUAN_SPEC,
    names=HUNYUAN_NORMS,
    heads=causal_heads("HunYuanDenseV1", tasks=SEQUENCE),
)

INTERNLM3 = llama_like(
    "internlm3",
    "Llama",
    defaults={
        **_BIASES,
        "vocab_size": 128512,
        "intermediate_size": 10240,
        "num_hidden_layers": 48,
        "num_key_value_heads": 2,
        "head_dim": 128,
        "max_position_embeddings": 32768,
        "rms_norm_eps": 1e-5,
        "pad_token_id": 2,
    },
    fixed={"qkv_bias": False, "bias": False},  # of files of the hub
    spec=_BIASED,
    heads={
        **causal_heads("Llama", tasks=()),
        **causal_heads("InternLM3", tasks=()),  # what files of the hub call it
    },
)

IQUESTCODER = llama_like(
    "iquestcoder",
    "Llama",
    defaults={
        **_BIASES,
        "vocab_size": 76800,
        "hidden_size": 5120,
        "intermediate_size": 27648,
        "num_hidden_layers": 80,
        "num_attention_heads": 40,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-5,
    },
    fixed={"clip_qkv": None, "use_sliding_window": False},
    irrelevant=frozenset(["sliding_window", "max_window_layers"]),
    spec=_BIASED,
    heads={
        **causal_heads("Llama", tasks=()),
        **causal_heads("IQuestCoder", tasks=()),
    },
)


BITNET = llama_like(
    "bitnet",
    "BitNet",
    defaults={
        "vocab_size": 128256,
        "hidden_size": 2560,
        "intermediate_size": 6912,
        "num_hidden_layers": 30,
        "num_attention_heads": 20,
        "num_key_value_heads": 5,
        "hidden_act": "relu2",
        "rms_norm_eps": 1e-5,
        "bos_token_id": 128000,
        "eos_token_id": 128001,
        "rope_theta": 500000.0,
        "attention_bias": False,
    },
    spec={
        "attention": {"bias": Key("attention_bias"), "output_norm": True},
        "feed_forward": {"inner_norm": True},
    },
    names={
        "layers.{}.attention.output_norm": "layers.{}.self_attn.attn_sub_norm",
        "layers.{}.feed_forward.inner_norm": "layers.{}.mlp.ffn_sub_norm",
    },
    heads=causal_heads("BitNet", tasks=()),
)

# The text of Emu 3 (Wang et al., 2024, arXiv:2409.18869), in which images are tokens too
EMU3_TEXT = llama_like(
    "emu3_text_model",
    "Emu3",
    defaults={
        **_BIASES,
        "vocab_size": 184622,
        "intermediate_size": 14336,
        "num_key_value_heads": 8,
        "max_position_embeddings": 9216,
        "rms_norm_eps": 1e-5,
        "pad_token_id": 151643,
        "bos_token_id": 151849,
        "eos_token_id": 151850,
        "rope_theta": 1_000_000.0,
        "attention_dropout": 0.1,
    },
    spec={**_BIASED, "dropout": Key("attention_dropout"), "input": {"dropout": 0}},
    prefix="model.",
    heads={"Emu3ForCausalLM": causal_heads("Emu3", tasks=())["Emu3ForCausalLM"]},
)

FAMILIES = (EMU3_TEXT, ARCEE, SEED_OSS, HUNYUAN, INTERNLM3, IQUESTCODER, BITNET)
