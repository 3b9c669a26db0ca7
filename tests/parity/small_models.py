"""What the small models of transformers have in common."""

from __future__ import annotations

from typing import Any

from pairs import Table
from torch import nn

SIZES: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 48,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "attn_implementation": "sdpa",
}

EAGER = {"attn_implementation": "eager"}  # where they have no other


def small(config: type[Any], model: type[Any], **options: Any) -> nn.Module:
    """A small model of theirs; `options` add to the common sizes, or leave one out with None."""
    sizes = {name: size for name, size in {**SIZES, **options}.items() if size is not None}
    made: nn.Module = model(config(**sizes))
    return made


SEPARATE: Table = {
    "attention.query": "self_attn.q_proj",
    "attention.key": "self_attn.k_proj",
    "attention.value": "self_attn.v_proj",
    "attention.output": "self_attn.o_proj",
}
PRE_NORMS: Table = {
    "attention_norm": "input_layernorm",
    "feed_forward_norm": "post_attention_layernorm",
}
