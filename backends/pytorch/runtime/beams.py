"""`beam_search`, for encoder-decoders. A template, as that of `generate`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .cache import Cache

slot: Any = None


@torch.inference_mode()
def beam_search(
    self: Any,
    source: Tensor,
    max_new_tokens: int,
    attention_mask: Tensor | None = None,
    *,
    beams: int = 4,
    length_penalty: float = 0.6,
    decoder_start_token_id: int = 0,
    eos_token_id: int | tuple[int, ...] | Tensor | None = None,
    pad_token_id: int | None = 0,
) -> Tensor:
    if any(type(n) is not int or n < 1 for n in (beams, max_new_tokens)):
        raise ValueError(f"beams, max_new_tokens must be ints >= 1: {beams}, {max_new_tokens}")
    if not length_penalty >= 0:
        raise ValueError(f"length_penalty must be at least 0, not {length_penalty}")
    stop = eos_token_id.tolist() if isinstance(eos_token_id, Tensor) else eos_token_id
    stops = stop if isinstance(stop, (tuple, list)) else () if stop is None else (stop,)
    ids = decoder_start_token_id, *stops, pad_token_id if stops else 0
    if any(type(i) is not int or not 0 <= i < slot.vocabulary for i in ids):
        raise ValueError(f"token ids must be ints in [0, {slot.vocabulary}), not {ids}")
    if slot.limited:
        if max_new_tokens > slot.limit:
            raise ValueError(f"{max_new_tokens} tokens, but max_positions is {slot.limit}")
    batch, cache = source.size(0), Cache(max_new_tokens)
    ends = torch.tensor(stops, dtype=torch.long, device=source.device)
    tokens = torch.full((batch * beams, 1), decoder_start_token_id, device=source.device)
    first = torch.arange(batch, device=source.device)[:, None] * beams  # (B, 1)
    penalties = ((5 + torch.arange(max_new_tokens + 1)) / 6.0) ** length_penalty
    if slot.dropout:
        training = [module for module in self.modules() if module.training]
        self.eval()
    try:
        memory = slot.memory.repeat_interleave(beams, dim=0)  # (B*K, M, …)
        if slot.masked:
            if attention_mask is not None:
                attention_mask = attention_mask.repeat_interleave(beams, dim=0)
        scores = memory.new_full((batch, beams), -torch.inf, dtype=torch.float32)  # (B, K)
        best, found = scores, tokens.new_full((batch, beams, max_new_tokens), pad_token_id or 0)
        lengths = torch.zeros_like(found[..., 0])  # of the texts in `found`
        scores = scores.index_fill(1, first[:1, 0], 0.0)  # all beams are equal: use the first
        for length in range(1, max_new_tokens + 1):
            step = tokens[:, -1:]
            x = slot.states
            logits = self.logits(x[:, -1:])[:, -1].float().log_softmax(-1)  # (B*K, V)
            logits = logits.unflatten(0, scores.shape)  # (B, K, V)
            sums = (scores[..., None] + logits).flatten(1)  # (B, K*V)
            top, index = sums.topk(min(2 * beams, sums.size(1)))  # (B, 2K)
            origin, token = index // logits.size(-1) + first, index % logits.size(-1)
            texts = torch.cat([tokens[origin], token[..., None]], dim=-1)  # (B, 2K, 1 + length)
            ended = torch.isin(token, ends) | (length == max_new_tokens)
            own = top.masked_fill(~ended, -torch.inf)[:, :beams] / penalties[length]
            new = torch.full_like(found, pad_token_id or 0)
            new[..., :length] = texts[:, :beams, 1:]
            best, chosen = torch.cat([best, own], dim=1).topk(beams)
            found = torch.cat([found, new], dim=1).gather(1, chosen[..., None].expand_as(found))
            sizes = torch.cat([lengths, torch.full_like(lengths, length)], dim=1)
            lengths = sizes.gather(1, chosen)
            scores, chosen = top.masked_fill(ended, -torch.inf).topk(beams)
            tokens = texts.gather(1, chosen[..., None].expand(-1, -1, length + 1)).flatten(0, 1)
            rows = origin.gather(1, chosen).flatten()
            if slot.keys:
                cache.kv = {layer: [x[rows] for x in kv] for layer, kv in cache.kv.items()}
            if slot.sums:
                cache.states = {layer: state[rows] for layer, state in cache.states.items()}
            if (best[:, -1] >= scores[:, 0] / penalties[-1]).all():
                break  # no beam can become better
    finally:
        if slot.dropout:
            for module in training:
                module.training = True
    longest = max(lengths[:, 0].tolist(), default=0)
    return torch.cat([tokens[::beams, :1], found[:, 0, :longest]], dim=1)
