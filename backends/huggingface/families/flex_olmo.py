"""FlexOlmo (Shi et al., 2025, arXiv:2507.07024)."""

from __future__ import annotations

from ..defaults import keys
from ._llama_like import OUTPUT_NORMS, QK_NORMS, llama_like
from ._moe import EXPERTS, TRAINED
from ._rows import causal_heads
from .olmoe import OLMOE_MIXTURE

FLEX_OLMO = llama_like(
    "flex_olmo",
    "FlexOlmo",
    reads=keys("pad_token_id attention_bias num_experts num_experts_per_tok norm_topk_prob"),
    aliases={"num_local_experts": "num_experts"},
    irrelevant=TRAINED,
    spec={**OLMOE_MIXTURE, "norm_placement": "output"},
    names={**EXPERTS, **QK_NORMS, **OUTPUT_NORMS},
    heads=causal_heads("FlexOlmo", tasks=()),
)

FAMILIES = (FLEX_OLMO,)
