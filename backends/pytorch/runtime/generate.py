"""`generate`: one loop for every way in which a model takes its tokens.

`slot` stands for what differs between models. A model gets this method with each slot filled: an
`if` on a slot is decided, and `slot.name` becomes the expression that the model has there. See
`backends/pytorch/generate.py` for what each slot means.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .cache import Cache, StaticCache
from .sampling import sample

slot: Any = None


@torch.inference_mode()
def generate(
    self: Any,
    source: Tensor,
    max_new_tokens: int,
    attention_mask: Tensor | None = None,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    decoder_start_token_id: int = 0,
    eos_token_id: int = -1,
    pad_token_id: int = 0,
    capacity: int | None = None,
    compile_mode: str | None = None,
) -> Tensor:
    if slot.reads_memory:
        memory = slot.memory  # (B, M, D)
    if slot.static and slot.extends:
        slot.needed = source.size(1) + max_new_tokens - 1
    if slot.static:
        if capacity is not None and capacity < slot.needed:
            raise ValueError(f"{slot.needed} tokens, but the cache holds {capacity}")
        cache = StaticCache(capacity or slot.needed, slot.given.device)
    elif slot.extends:
        cache = Cache(source.size(1) + max_new_tokens)
    else:
        cache = Cache(1 + max_new_tokens)
    if slot.vectors:
        size, device = (memory.size(0), 1), memory.device
        step = torch.full(size, decoder_start_token_id, device=device)  # (B, 1)
        done = torch.zeros_like(step[:, 0], dtype=torch.bool)
        slot.tokens = step
    else:
        done = torch.zeros_like(source[:, 0], dtype=torch.bool)
    if slot.reads_memory and not slot.vectors:
        step = slot.tokens = torch.full_like(source[:, :1], decoder_start_token_id)  # (B, 1)
    if slot.reads_memory and slot.static:
        slot.forward = slot.method
    elif slot.extends and slot.static and slot.placed:
        slot.forward, step, position_ids = slot.method, source, None
    elif slot.extends and slot.static:
        slot.forward, step = slot.method, source
    elif slot.extends and slot.placed:
        step, position_ids = source, None
    elif slot.extends:
        step = source
    if slot.extends and slot.static:
        if attention_mask is not None:
            if slot.placed:
                position_ids = (attention_mask.long().cumsum(-1) - 1).clamp(min=0)
            room = cache.capacity - source.size(1)
            attention_mask = F.pad(attention_mask, (0, room), value=1)
    for slot.number in range(max_new_tokens):
        if slot.extends and slot.placed and not slot.static:
            if attention_mask is not None:
                counted = attention_mask.long().cumsum(-1) - 1
                position_ids = counted.clamp(min=0)[:, -step.size(1) :]
        slot.hidden = slot.states
        token = sample(slot.logits[:, -1], temperature, top_k, top_p)  # (B,)
        if slot.vectors:
            step = token.masked_fill(done, pad_token_id)[:, None]
        else:
            step = token.masked_fill(done, pad_token_id)[:, None]  # padding after a row's end
        slot.tokens = torch.cat([slot.tokens, step], dim=1)
        if slot.extends and slot.static and slot.placed:
            if position_ids is not None:
                position_ids = position_ids[:, -1:] + 1
        elif slot.extends and not slot.static:
            if attention_mask is not None:
                attention_mask = torch.cat([attention_mask, torch.ones_like(step)], dim=1)
        if slot.static:
            if slot.number == 0 and compile_mode is not None:
                slot.forward = torch.compile(slot.forward, fullgraph=True, mode=compile_mode)
        done |= token == eos_token_id
        if done.all():
            break
    return slot.tokens
