"""Phi-3 and Phi-4 (Abdin et al., 2024, arXiv:2404.14219): fused projections, LongRoPE."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..layouts import Layout
from ..rotary import Rotary, stated, with_parameters
from ..values import Key, RefusedError, Values
from ._llama_like import llama_like
from ._rows import QKV, TOKENS_TOO, causal_heads, mask_of


def _rotary_3(values: Values) -> dict[str, Any]:
    """The library reads the older names `su` and `yarn` as LongRoPE."""
    parameters = stated(values)
    kind = parameters.get("rope_type", parameters.get("type", "default"))
    if kind not in ("default", "longrope", "su", "yarn"):
        raise RefusedError(f"rotary scaling `{kind}` is not supported; phi3 uses LongRoPE")
    if kind in ("su", "yarn"):
        parameters = {**parameters, "rope_type": "longrope"}
    return Rotary(partial=True)(with_parameters(values, parameters))


PHI3 = llama_like(
    "phi3",
    "Phi3",
    reads=keys("original_max_position_embeddings pad_token_id resid_pdrop"),
    optional={"sliding_window": int},
    fixed={"attention_bias": False, "mlp_bias": False, "lm_head_bias": False, "full_attn_mod": 1},
    irrelevant=frozenset(["embd_pdrop", "interpolate_factor"]),
    spec={
        "dropout": Key("resid_pdrop"),
        "input": {"dropout": 0},
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

FAMILIES = (PHI3,)
