"""Hunyuan-Large and A13B (Sun et al., 2024, arXiv:2411.02265)."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..values import RefusedError, Values
from ._llama_like import llama_like
from ._moe import TRAINED, glu, mixture, router, separate_experts, shared
from ._rows import SEQUENCE, causal_heads
from .hunyuan_v1_dense import HUNYUAN_FIXED, HUNYUAN_NORMS, HUNYUAN_SPEC, HUNYUAN_UNREAD


def _alike(name: str) -> Any:
    """A number that may be given per layer, but must be the same in all layers."""

    def read(values: Values) -> int:
        numbers = values[name] if isinstance(values[name], list) else [values[name]]
        if len(set(numbers)) != 1:
            raise RefusedError(f"`{name}` must be the same in all layers")
        return int(numbers[0])

    return read


HUNYUAN_MOE = llama_like(
    "hunyuan_v1_moe",
    "HunYuanMoEV1",
    reads=keys("pad_token_id attention_bias num_experts moe_topk"),
    optional={"num_experts": object, "moe_topk": object},
    aliases={"num_local_experts": "num_experts", "num_experts_per_tok": "moe_topk"},
    fixed=HUNYUAN_FIXED,
    irrelevant=TRAINED | HUNYUAN_UNREAD,
    spec={
        **HUNYUAN_SPEC,
        "feed_forward": {
            **mixture("intermediate_size"),
            "experts": _alike("num_experts"),
            "top_k": _alike("moe_topk"),
            "shared_expert": glu("intermediate_size"),
        },
    },
    names={
        **HUNYUAN_NORMS,
        **router("mlp.gate.wg"),
        **separate_experts("mlp.experts"),
        **shared("mlp.shared_mlp"),
    },
    heads=causal_heads("HunYuanMoEV1", tasks=SEQUENCE),
)

FAMILIES = (HUNYUAN_MOE,)
