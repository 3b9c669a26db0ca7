"""Seed-OSS (ByteDance, 2025): a Llama with biases and dropout."""

from __future__ import annotations

from ..values import Key, Values
from ._llama_like import PROJECTED, llama_like
from ._rows import ALL_TASKS, causal_heads


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

FAMILIES = (SEED_OSS,)
