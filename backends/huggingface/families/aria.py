"""Aria's decoder (Li et al., 2024, arXiv:2410.05993)."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..layouts import Layout
from ..values import Key, Values
from ._llama_like import llama_like
from ._moe import PART, TRAINED, glu, mixture, router, shared, wide_shared
from ._rows import causal_heads


def _aria_shared(values: Values) -> dict[str, Any]:
    expert = wide_shared("intermediate_size", "moe_num_shared_experts")(values)
    return {**expert, "bias": values["mlp_bias"]}


ARIA = llama_like(
    "aria_text",
    "AriaText",
    reads=keys(
        "pad_token_id attention_bias mlp_bias moe_num_experts moe_topk moe_num_shared_experts"
    ),
    irrelevant=TRAINED | {"pretraining_tp"},
    spec={
        "attention": {"bias": Key("attention_bias")},
        "feed_forward": {
            **mixture("intermediate_size", experts="moe_num_experts", top_k="moe_topk"),
            "expert": {**glu("intermediate_size"), "activation": "silu"},
            "shared_expert": _aria_shared,
        },
    },
    names={
        **router("mlp.router"),
        (f"{PART}.experts.gate", f"{PART}.experts.up"): Layout(
            "layers.{}.mlp.experts.fc1.weight", transposed=True, axis=1
        ),
        f"{PART}.experts.down": Layout("layers.{}.mlp.experts.fc2.weight", transposed=True),
        **shared("mlp.shared_experts"),
    },
    heads=causal_heads("AriaText", tasks=()),
)

FAMILIES = (ARIA,)
