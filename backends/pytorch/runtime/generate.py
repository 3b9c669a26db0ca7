"""`generate`, for decoders and encoder-decoders, with or without a static cache.

This is a template. `slot` stands for what differs between models: an `if` on a slot is resolved
when the file is written, and `slot.name` is replaced by an expression of the model. The slots are
described in `backends/pytorch/generate.py`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .cache import Cache, StaticCache
from .inputs import check_shapes
from .sampling import sample

slot: Any = None


@torch.inference_mode()
def generate(
    self: Any,
    source: Tensor,
    max_new_tokens: int,
    attention_mask: Tensor | None = None,
    *,
    prefix_length: Tensor | None = None,
    global_mask: Tensor | None = None,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    decoder_start_token_id: int = 0,
    eos_token_id: int | tuple[int, ...] | Tensor | None = None,
    pad_token_id: int | None = 0,
    capacity: int | None = None,
    compile_mode: str | None = None,
) -> Tensor:
    if slot.reads_ids:
        tokens = step = source.new_full((source.size(0), 1), decoder_start_token_id)  # (B, 1)
    elif slot.reads_memory:
        start = torch.tensor(decoder_start_token_id, device=source.device)
        tokens = step = start.expand(source.size(0), 1)  # (B, 1)
    else:
        tokens = step = source
    if slot.extends:
        check_shapes((1, 1, *step.shape)[-2:], input_ids=step, attention_mask=attention_mask)
        if slot.marks:
            check_shapes((*step.shape,), global_mask=global_mask)
    if slot.extends and slot.absolute:
        if tokens.size(1) == 0 or (attention_mask is not None and not attention_mask.all()):
            raise ValueError("prompts must not be empty or padded: the mask depends on positions")
    elif slot.extends:
        if tokens.size(1) == 0 or (attention_mask is not None and not attention_mask[:, -1].all()):
            raise ValueError("prompts must not be empty or end in padding: pad them on the left")
    if slot.masked and not slot.absolute and slot.short:
        if not (attention_mask is None or torch.compiler.is_compiling()) and attention_mask.all():
            attention_mask = None  # nothing is padding
    elif slot.masked and not slot.absolute:
        compiling = torch.compiler.is_compiling()
        if attention_mask is not None and not compiling and attention_mask.all():
            attention_mask = None  # nothing is padding
    if not (0 <= (top_p or 0) <= 1 and (temperature == 0 or 1e-6 <= temperature <= 1000)):
        raise ValueError(f"{temperature=} must be 0 or 1e-6 to 1000, {top_p=} in [0, 1]")
    if any(type(n) is not int or n < 0 for n in (max_new_tokens, top_k or 0)):
        raise ValueError(f"max_new_tokens, top_k must be ints >= 0: {max_new_tokens}, {top_k}")
    stop = eos_token_id.tolist() if isinstance(eos_token_id, Tensor) else eos_token_id
    stops = stop if isinstance(stop, (tuple, list)) else () if stop is None else (stop,)
    if slot.reads_memory:
        ids = decoder_start_token_id, *stops, pad_token_id if stops else 0
        if any(type(i) is not int or not 0 <= i < slot.vocabulary for i in ids):
            raise ValueError(f"token ids must be ints in [0, {slot.vocabulary}), not {ids}")
    else:
        ids = *stops, pad_token_id if stops else 0
        if any(type(i) is not int or not 0 <= i < slot.vocabulary for i in ids):
            raise ValueError(f"token ids must be ints in [0, {slot.vocabulary}), not {ids}")
    if slot.measured:
        length = tokens.size(1) + max_new_tokens - 1  # the last new token is not fed back
        if slot.limited:
            if length > slot.limit:
                raise ValueError(f"{length} tokens, but max_positions is {slot.limit}")
    if slot.static:
        if capacity is not None and capacity < length:
            raise ValueError(f"{length} tokens, but the cache holds {capacity}")
        cache = StaticCache(capacity or length, tokens.device)
        slot.forward = slot.method
    elif slot.measured:
        cache = Cache(length)
    elif slot.reads_memory:
        cache = Cache(max_new_tokens)  # the start token and all new tokens but the last
    else:
        cache = Cache(tokens.size(1) + max_new_tokens - 1)  # the last new token is not fed back
    ends = torch.tensor(stops).to(tokens)
    if slot.extends and slot.placed:
        mask = position_ids = None
    elif slot.extends and slot.masked:
        mask = None
    if slot.marks:
        marks = None
    if slot.switches:
        short = slot.lengths  # lengths with the short LongRoPE factors
        if slot.extends and slot.masked:
            padding = 0  # of the longest prompt
            if attention_mask is not None:
                padding = source.size(1) - int(attention_mask.bool().sum(-1).max())
    if slot.dropout:
        training = [module for module in self.modules() if module.training]
        self.eval()
    try:
        if slot.reads_memory:
            memory = slot.memory  # (B, M, …)
        if slot.places:
            given = slot.given
        for slot.number in range(max_new_tokens):
            done = torch.isin(tokens[:, slot.first :], ends).any(-1)  # (B,)
            if ends.numel() and not torch.compiler.is_compiling() and done.all():
                break
            if slot.switches:
                if slot.seen - 1 in short:  # the angles change: recompute all tokens
                    if slot.places:
                        given = slot.given
                    if slot.static:
                        cache, step = StaticCache(cache.capacity, tokens.device), tokens
                    else:
                        cache, step = Cache(length), tokens
            if slot.extends and slot.masked and not slot.absolute:
                if attention_mask is not None:  # new tokens are not padding; positions skip it
                    mask = F.pad(attention_mask, (0, slot.end - source.size(1)), value=1)
                    if slot.placed:
                        position_ids = slot.positions
            if slot.marks:
                if global_mask is not None:  # new tokens are not global
                    marks = F.pad(global_mask, (0, slot.end - source.size(1)))
            x = slot.states
            if slot.places:
                given = None  # now in the cache
            token = sample(self.logits(x[:, -1:])[:, -1], temperature, top_k, top_p)  # (B,)
            step = token.masked_fill(done, pad_token_id or 0)[:, None]  # pads finished rows
            tokens = torch.cat([tokens, step], dim=1)
            if slot.static:
                if slot.number == 0 and compile_mode is not None:
                    slot.forward = torch.compile(slot.forward, fullgraph=True, mode=compile_mode)
    finally:
        if slot.dropout:
            for module in training:
                module.training = True
    return tokens
