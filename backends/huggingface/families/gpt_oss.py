"""gpt-oss (OpenAI, 2025, arXiv:2508.10925): clamped gates and sinks; unquantized checkpoints."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..family import Names
from ..layers import Layer
from ..layouts import Layout
from ..rotary import Rotary, stated, with_parameters
from ..values import Key, Values
from ._llama_like import llama_like
from ._moe import PART, TRAINED, mixture, router
from ._rows import TOKENS_TOO, causal_heads, every, local_and_global

_YARN = {
    "rope_type": "yarn",
    "factor": 32.0,
    "beta_fast": 32.0,
    "beta_slow": 1.0,
    "truncate": False,
    "original_max_position_embeddings": 4096,
}


def _rotary(values: Values) -> dict[str, Any]:
    """Rotary positions, with YaRN scaling by default."""
    return Rotary()(with_parameters(values, stated(values) or _YARN))


def _layers(values: Values) -> list[Layer]:
    return local_and_global(every(values, 2))


def _fused(bias: str = "") -> Names:
    """Names of the experts' weights or biases; columns of gate and up are interleaved."""
    ours = [f"{PART}.experts.{part}{bias}" for part in ("gate", "up", "down")]
    matrix = not bias
    return {
        (ours[0], ours[1]): Layout(
            f"layers.{{}}.mlp.experts.gate_up_proj{bias}",
            transposed=matrix,
            groups=Key("intermediate_size"),
            axis=1,
        ),
        ours[2]: Layout(f"layers.{{}}.mlp.experts.down_proj{bias}", transposed=matrix),
    }


GPT_OSS = llama_like(
    "gpt_oss",
    "GptOss",
    reads=keys(
        "num_key_value_heads head_dim attention_bias sliding_window num_local_experts",
        "num_experts_per_tok swiglu_alpha swiglu_limit",
    ),
    without=["hidden_act"],
    optional={"layer_types": list},
    aliases={"num_experts": "num_local_experts"},
    irrelevant=TRAINED | {"experts_per_token", "hidden_act", "initial_context_length"},
    spec={
        "bias": None,
        "positions": _rotary,
        "attention": {"bias": Key("attention_bias"), "sinks": True},
        "feed_forward": {
            **mixture(experts="num_local_experts"),
            "expert": {
                "type": "glu",
                "d_ff": Key("intermediate_size"),
                "activation": {"type": "swish", "beta": Key("swiglu_alpha")},
                "clamp": Key("swiglu_limit"),
                "linear_offset": 1,
            },
            "router": {"bias": True},
        },
    },
    layers=_layers,
    names={
        **router("mlp.router"),
        **_fused(),
        **_fused("_bias"),
        "layers.{}.attention.sinks": "layers.{}.self_attn.sinks",
    },
    heads=causal_heads("GptOss", tasks=TOKENS_TOO),
)

FAMILIES = (GPT_OSS,)
