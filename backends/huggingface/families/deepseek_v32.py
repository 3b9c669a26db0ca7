"""DeepSeek-V3.2 (DeepSeek-AI, 2025, arXiv:2512.02556), whose indexer selects keys.

Supported up to `index_topk` tokens, where all keys are selected."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..family import Family, Names
from ..layers import Layer
from ..values import Values
from ._llama_like import llama_like
from ._moe import dense_and_sparse, skipped_tensors
from ._rows import causal_heads, changed
from .axk1 import AXK1
from .deepseek_v3 import V3_MIXTURE, V3_NAMES, named_layers

_NAMES: Names = V3_NAMES


def _seen_whole(values: Values) -> int:
    return int(min(values["max_position_embeddings"], values["index_topk"]))


def _layers(values: Values) -> list[Layer]:
    return dense_and_sparse(values, named_layers(values), V3_MIXTURE)


def _note(values: Values) -> str:
    count = values["index_topk"]
    return f"Up to {count} tokens: in longer sequences, the library selects {count} keys per query"


def _unused(values: Values) -> tuple[str, ...]:
    return (*skipped_tensors(values), r"layers\.\d+\.self_attn\.indexer\..*")


def with_key_index(model_type: str, name: str, **more: Any) -> Family:
    spec = {key: value for key, value in AXK1.spec.items() if key != "family"}
    return llama_like(
        model_type,
        name,
        reads=keys(AXK1.reads, "first_k_dense_replace index_topk"),
        own_defaults={"num_nextn_predict_layers": 1, "rope_interleave": True},
        optional={**AXK1.optional, "num_nextn_predict_layers": int},
        fixed={**AXK1.fixed, "mlp_bias": False},
        aliases=AXK1.aliases,
        irrelevant=AXK1.irrelevant
        | {"head_dim", "index_head_dim", "index_n_heads", "layer_types", "index_topk_freq"}
        | {"index_topk_pattern", "index_skip_topk_offset", "indexer_types", "qk_head_dim"},
        spec=changed(spec, {"max_positions": _seen_whole}),
        layers=_layers,
        names=_NAMES,
        unused=_unused,
        note=_note,
        **more,
    )


DEEPSEEK_V32 = with_key_index(
    "deepseek_v32",
    "DeepseekV32",
    heads=causal_heads("DeepseekV32", tasks=()),
)

FAMILIES = (DEEPSEEK_V32,)
