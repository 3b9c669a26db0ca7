"""The small models of the cases."""

from __future__ import annotations

from typing import Any

import torch

import modelwright as mw

BASE = """
name: base
family: decoder-only
vocab_size: 40
max_positions: 64
d_model: 32
layers: 2
positions: rotary
attention: {heads: 4}
head: language_model
"""
MOE = BASE + "feed_forward: {type: moe, experts: 8, top_k: 2, expert: {type: glu, d_ff: 16}}\n"
LLAMA = {
    "vocab_size": 20, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4,
    "intermediate_size": 48, "max_position_embeddings": 64, "pad_token_id": 0, "bos_token_id": 1,
    "eos_token_id": 19,
}  # fmt: skip


def moved(model: Any, seed: int = 0) -> Any:
    """The model with weights far from where they are drawn, in eval mode."""
    torch.manual_seed(seed)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.4)
    return model.eval()


def made(text: str, **options: Any) -> Any:
    """A compiled model, moved."""
    return moved(mw.compile(mw.loads(text), **options))


def cache_of(model: Any, capacity: int) -> Any:
    """An empty cache of the model's file."""
    return model.forward.__globals__["Cache"](capacity)
