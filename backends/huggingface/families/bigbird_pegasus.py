"""BigBird-Pegasus (Zaheer et al., 2020, arXiv:2007.14062), with full attention at any length."""

from __future__ import annotations

from ..defaults import keys
from ..values import Key
from ._rows import full_attention
from .bart import NO_EMBEDDING_NORM, POSITIONS_FROM_ZERO, PRE_NORM, TASKS, bart_like

BIGBIRD_PEGASUS = bart_like(
    "bigbird_pegasus",
    "BigBirdPegasus",
    tasks=TASKS,
    reads=keys("attention_type block_size num_random_blocks use_bias"),
    spec={
        **PRE_NORM,
        **NO_EMBEDDING_NORM,
        **POSITIONS_FROM_ZERO,
        "encoder": {"attention": {"bias": Key("use_bias")}},
        "decoder": {"attention": {"bias": Key("use_bias")}},
    },
    names={
        **{
            f"encoder.layers.{{}}.attention.{part}": f"encoder.layers.{{}}.self_attn.self.{part}"
            for part in ("query", "key", "value")
        },
        "encoder.layers.{}.attention.output": "encoder.layers.{}.self_attn.output",
        "encoder.norm": "encoder.layernorm_embedding",
        "decoder.norm": "decoder.layernorm_embedding",
    },
    note=full_attention,
)

FAMILIES = (BIGBIRD_PEGASUS,)
