"""DiffLlama (kajuma, 2025): a Llama with differential attention (Ye et al., 2024,
arXiv:2410.05258). The library counts queries and keys as heads, two for each of ours.
"""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..layouts import Layout
from ..values import Key, RefusedError, Row, Values
from ._llama_like import llama_like
from ._rows import ALL_TASKS, causal_heads


def _half(name: str) -> Row:
    """Half of a number of heads."""

    def read(values: Values) -> int:
        count = int(values[name] or values["num_attention_heads"])
        if count % 2:
            raise RefusedError(f"`{name}: {count}` is odd, but differential heads have two each")
        return count // 2

    def write(value: Any) -> dict[str, Any]:
        return {name: 2 * value}

    return Row(read, write)


HEADS, KV_HEADS = _half("num_attention_heads"), _half("num_key_value_heads")


def _head_dim(values: Values) -> int | None:
    width = values["head_dim"]
    return (
        None if width in (None, values["hidden_size"] // values["num_attention_heads"]) else width
    )


DIFFLLAMA = llama_like(
    "diffllama",
    "DiffLlama",
    reads=keys("attention_bias lambda_std_dev"),
    irrelevant=frozenset(["lambda_std_dev"]),  # for initial weights
    fixed={"attention_dropout": 0.0},
    spec={
        "attention": {
            "type": "differential",
            "heads": HEADS,
            "kv_heads": KV_HEADS,
            "head_dim": Row(_head_dim, lambda value: {"head_dim": value}),
            "bias": Key("attention_bias"),
            "head_norm": {"type": "rmsnorm", "eps": Key("rms_norm_eps"), "affine": False},
            "dropout": None,
        },
    },
    names={
        "layers.{}.attention.value": Layout("layers.{}.self_attn.v_proj", dealt=KV_HEADS),
        **{
            f"layers.{{}}.attention.lambda_{name}{number}": (
                f"layers.{{}}.self_attn.lambda_{name[0]}{number}"
            )
            for name in ("query", "key")
            for number in (1, 2)
        },
    },
    heads=causal_heads("DiffLlama", tasks=ALL_TASKS),
)

FAMILIES = (DIFFLLAMA,)
