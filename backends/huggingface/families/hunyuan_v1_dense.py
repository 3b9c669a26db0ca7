"""Hunyuan 0.5B to 7B (Tencent, 2025): norms on queries and keys after their rotation."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..rotary import Rotary
from ..values import Key, Values
from ._llama_like import llama_like
from ._rows import SEQUENCE, causal_heads


def hunyuan_rotary(values: Values) -> dict[str, Any]:
    """Rotary positions; with "dynamic" scaling, `alpha` increases theta by a constant factor."""
    parameters = Rotary().parameters(values)
    alpha = parameters.get("alpha")
    if parameters.get("rope_type", parameters.get("type")) != "dynamic" or not alpha:
        return Rotary()(values)
    width = values["head_dim"] or values["hidden_size"] // values["num_attention_heads"]
    theta = parameters.get("rope_theta", values["rope_theta"]) * alpha ** (width / (width - 2))
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

HUNYUAN_FIXED: dict[str, Any] = {
    "mlp_bias": False,
    "norm_type": "rms",
    "use_cla": False,
    "use_qk_norm": True,
    "use_rotary_pos_emb": True,
}
"""Keys of published files that the library's class does not read, at the values it computes."""

HUNYUAN_UNREAD = frozenset(
    [
        "attention_head_dim",
        "cla_share_factor",
        "dense_list",
        "eod_token_id",
        "im_end_id",
        "im_newline_id",
        "im_start_id",
        "mask_init_id",
        "org_vocab_size",
        "pad_id",
        "text_end_id",
        "text_start_id",
    ]
)

HUNYUAN = llama_like(
    "hunyuan_v1_dense",
    "HunYuanDenseV1",
    reads=keys("pad_token_id attention_bias"),
    fixed=HUNYUAN_FIXED,
    irrelevant=HUNYUAN_UNREAD,
    spec=HUNYUAN_SPEC,
    names=HUNYUAN_NORMS,
    heads=causal_heads("HunYuanDenseV1", tasks=SEQUENCE),
)

FAMILIES = (HUNYUAN,)
