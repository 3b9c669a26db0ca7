"""Seed-OSS (ByteDance, 2025): a Llama with biases and dropout."""

from __future__ import annotations

from ..defaults import keys
from ..values import Key, Values
from ._llama_like import PROJECTED, llama_like
from ._rows import ALL_TASKS, causal_heads


def _seed_bias(values: Values) -> list[str]:
    output = ["output"] if values["attention_out_bias"] else []
    return [*(PROJECTED if values["attention_bias"] else []), *output]


SEED_OSS = llama_like(
    "seed_oss",
    "SeedOss",
    reads=keys(
        "num_key_value_heads head_dim pad_token_id residual_dropout attention_bias",
        "attention_out_bias mlp_bias",
    ),
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
