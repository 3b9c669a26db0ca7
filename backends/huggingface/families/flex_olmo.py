"""FlexOlmo (Shi et al., 2025, arXiv:2507.07024)."""

from __future__ import annotations

from ._llama_like import OUTPUT_NORMS, QK_NORMS, llama_like
from ._moe import EXPERTS, TRAINED
from ._rows import causal_heads
from .olmoe import OLMOE_MIXTURE

FLEX_OLMO = llama_like(
    "flex_olmo",
    "FlexOlmo",
    defaults={
        "vocab_size": 100352,
        "max_position_embeddings": 4096,
        "pad_token_id": 100277,
        "bos_token_id": None,
        "eos_token_id": 100257,
        "rope_theta": 500000.0,
        "attention_bias": False,
        "num_experts": 7,
        "num_experts_per_tok": 5,
        "norm_topk_prob": False,
    },
    aliases={"num_local_experts": "num_experts"},
    irrelevant=TRAINED,
    spec={**OLMOE_MIXTURE, "norm_placement": "output"},
    names={**EXPERTS, **QK_NORMS, **OUTPUT_NORMS},
    heads=causal_heads("FlexOlmo", tasks=()),
)

FAMILIES = (FLEX_OLMO,)
