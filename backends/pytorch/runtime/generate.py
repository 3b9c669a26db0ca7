"""`generate`, one for each way in which a model takes its tokens; each is copied into a model."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .cache import Cache, StaticCache
from .sampling import sample


class Model(nn.Module):
    """What `generate` needs of the model that it becomes a method of."""

    config: Any

    def logits(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class PlacedDecoder(Model):
    """A decoder with `position_ids`: padded rows count from their first real token."""

    def hidden_states(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        *,
        cache: Cache | StaticCache | None = None,
    ) -> Tensor:
        raise NotImplementedError

    @torch.inference_mode()
    def generate(
        self,
        input_ids: Tensor,
        max_new_tokens: int,
        attention_mask: Tensor | None = None,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        eos_token_id: int = -1,
        pad_token_id: int = 0,
    ) -> Tensor:
        """Extend `input_ids` (B, T), padded on the left, by up to `max_new_tokens`."""
        cache = Cache(input_ids.size(1) + max_new_tokens)
        done = torch.zeros_like(input_ids[:, 0], dtype=torch.bool)
        step, position_ids = input_ids, None
        for _ in range(max_new_tokens):
            if attention_mask is not None:
                counted = attention_mask.long().cumsum(-1) - 1
                position_ids = counted.clamp(min=0)[:, -step.size(1) :]
            x = self.hidden_states(step, attention_mask, position_ids, cache=cache)
            token = sample(self.logits(x[:, -1:])[:, -1], temperature, top_k, top_p)  # (B,)
            step = token.masked_fill(done, pad_token_id)[:, None]  # padding after a row's end
            input_ids = torch.cat([input_ids, step], dim=1)
            if attention_mask is not None:
                attention_mask = torch.cat([attention_mask, torch.ones_like(step)], dim=1)
            done |= token == eos_token_id
            if done.all():
                break
        return input_ids


class Decoder(Model):
    """A decoder whose positions are distances: padding on the left does not move them."""

    def hidden_states(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        *,
        cache: Cache | StaticCache | None = None,
    ) -> Tensor:
        raise NotImplementedError

    @torch.inference_mode()
    def generate(
        self,
        input_ids: Tensor,
        max_new_tokens: int,
        attention_mask: Tensor | None = None,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        eos_token_id: int = -1,
        pad_token_id: int = 0,
    ) -> Tensor:
        """Extend `input_ids` (B, T), padded on the left, by up to `max_new_tokens`."""
        cache = Cache(input_ids.size(1) + max_new_tokens)
        done = torch.zeros_like(input_ids[:, 0], dtype=torch.bool)
        step = input_ids
        for _ in range(max_new_tokens):
            x = self.hidden_states(step, attention_mask, cache=cache)
            token = sample(self.logits(x[:, -1:])[:, -1], temperature, top_k, top_p)  # (B,)
            step = token.masked_fill(done, pad_token_id)[:, None]  # padding after a row's end
            input_ids = torch.cat([input_ids, step], dim=1)
            if attention_mask is not None:
                attention_mask = torch.cat([attention_mask, torch.ones_like(step)], dim=1)
            done |= token == eos_token_id
            if done.all():
                break
        return input_ids


class EncoderDecoder(Model):
    """A decoder that reads what an encoder made of the input."""

    def encode(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        raise NotImplementedError

    def decode(
        self,
        decoder_input_ids: Tensor,
        memory: Tensor,
        attention_mask: Tensor | None = None,
        *,
        cache: Cache | None = None,
    ) -> Tensor:
        raise NotImplementedError

    @torch.inference_mode()
    def generate(
        self,
        input_ids: Tensor,
        max_new_tokens: int,
        attention_mask: Tensor | None = None,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        decoder_start_token_id: int = 0,
        eos_token_id: int = -1,
        pad_token_id: int = 0,
    ) -> Tensor:
        """The decoder's answer to `input_ids` (B, T): up to `max_new_tokens` after its start."""
        memory = self.encode(input_ids, attention_mask)  # (B, M, D)
        cache = Cache(1 + max_new_tokens)
        done = torch.zeros_like(input_ids[:, 0], dtype=torch.bool)
        step = answer = torch.full_like(input_ids[:, :1], decoder_start_token_id)  # (B, 1)
        for _ in range(max_new_tokens):
            x = self.decode(step, memory, attention_mask, cache=cache)
            token = sample(self.logits(x)[:, -1], temperature, top_k, top_p)  # (B,)
            step = token.masked_fill(done, pad_token_id)[:, None]  # padding after a row's end
            answer = torch.cat([answer, step], dim=1)
            done |= token == eos_token_id
            if done.all():
                break
        return answer


class FeatureDecoder(Model):
    """A decoder that reads what an encoder made of images or sounds; nothing there is padding."""

    def encode(self, features: Tensor) -> Tensor:
        raise NotImplementedError

    def decode(
        self, decoder_input_ids: Tensor, memory: Tensor, *, cache: Cache | None = None
    ) -> Tensor:
        raise NotImplementedError

    @torch.inference_mode()
    def generate(
        self,
        features: Tensor,
        max_new_tokens: int,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        decoder_start_token_id: int = 0,
        eos_token_id: int = -1,
        pad_token_id: int = 0,
    ) -> Tensor:
        """The decoder's answer to `features`: up to `max_new_tokens` after its start.

        Temperature 0 takes the likeliest token. A row that made `eos_token_id` gets padding.
        """
        memory = self.encode(features)  # (B, M, D)
        cache = Cache(1 + max_new_tokens)
        size, device = (memory.size(0), 1), memory.device
        step = torch.full(size, decoder_start_token_id, device=device)  # (B, 1)
        done = torch.zeros_like(step[:, 0], dtype=torch.bool)
        answer = step
        for _ in range(max_new_tokens):
            x = self.decode(step, memory, cache=cache)
            token = sample(self.logits(x[:, -1:])[:, -1], temperature, top_k, top_p)  # (B,)
            step = token.masked_fill(done, pad_token_id)[:, None]
            answer = torch.cat([answer, step], dim=1)
            done |= token == eos_token_id
            if done.all():
                break
        return answer


class VectorDecoder(Model):
    """A decoder that reads what an encoder made of vectors, of which a mask hides some."""

    def encode(self, features: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        raise NotImplementedError

    def decode(
        self,
        decoder_input_ids: Tensor,
        memory: Tensor,
        attention_mask: Tensor | None = None,
        *,
        cache: Cache | None = None,
    ) -> Tensor:
        raise NotImplementedError

    @torch.inference_mode()
    def generate(
        self,
        features: Tensor,
        max_new_tokens: int,
        attention_mask: Tensor | None = None,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        decoder_start_token_id: int = 0,
        eos_token_id: int = -1,
        pad_token_id: int = 0,
    ) -> Tensor:
        """The decoder's answer to `features`: up to `max_new_tokens` after its start."""
        memory = self.encode(features, attention_mask)  # (B, M, D)
        cache = Cache(1 + max_new_tokens)
        size, device = (memory.size(0), 1), memory.device
        step = torch.full(size, decoder_start_token_id, device=device)  # (B, 1)
        done = torch.zeros_like(step[:, 0], dtype=torch.bool)
        answer = step
        for _ in range(max_new_tokens):
            x = self.decode(step, memory, attention_mask, cache=cache)
            token = sample(self.logits(x[:, -1:])[:, -1], temperature, top_k, top_p)  # (B,)
            step = token.masked_fill(done, pad_token_id)[:, None]
            answer = torch.cat([answer, step], dim=1)
            done |= token == eos_token_id
            if done.all():
                break
        return answer


class StaticPlacedDecoder(PlacedDecoder):
    """The same with a cache of fixed size, so that the steps after the first are compiled once."""

    @torch.inference_mode()
    def generate(
        self,
        input_ids: Tensor,
        max_new_tokens: int,
        attention_mask: Tensor | None = None,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        eos_token_id: int = -1,
        pad_token_id: int = 0,
        capacity: int | None = None,
        compile_mode: str | None = None,
    ) -> Tensor:
        """Extend `input_ids` (B, T), padded on the left, by up to `max_new_tokens`.

        With a `compile_mode` ("default", "reduce-overhead" …) `torch.compile` compiles the step,
        once for each `capacity` of the cache: by default, just what is needed.
        """
        needed = input_ids.size(1) + max_new_tokens - 1
        if capacity is not None and capacity < needed:
            raise ValueError(f"{needed} tokens, but the cache holds {capacity}")
        cache = StaticCache(capacity or needed, input_ids.device)
        done = torch.zeros_like(input_ids[:, 0], dtype=torch.bool)
        states, step, position_ids = self.hidden_states, input_ids, None
        if attention_mask is not None:
            position_ids = (attention_mask.long().cumsum(-1) - 1).clamp(min=0)
            room = cache.capacity - input_ids.size(1)
            attention_mask = F.pad(attention_mask, (0, room), value=1)
        for i in range(max_new_tokens):
            x = states(step, attention_mask, position_ids, cache=cache)
            token = sample(self.logits(x[:, -1:])[:, -1], temperature, top_k, top_p)  # (B,)
            step = token.masked_fill(done, pad_token_id)[:, None]  # padding after a row's end
            input_ids = torch.cat([input_ids, step], dim=1)
            if position_ids is not None:
                position_ids = position_ids[:, -1:] + 1
            if i == 0 and compile_mode is not None:
                states = torch.compile(states, fullgraph=True, mode=compile_mode)
            done |= token == eos_token_id
            if done.all():
                break
        return input_ids


class StaticDecoder(Decoder):
    """The same with a cache of fixed size, so that the steps after the first are compiled once."""

    @torch.inference_mode()
    def generate(
        self,
        input_ids: Tensor,
        max_new_tokens: int,
        attention_mask: Tensor | None = None,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        eos_token_id: int = -1,
        pad_token_id: int = 0,
        capacity: int | None = None,
        compile_mode: str | None = None,
    ) -> Tensor:
        """Extend `input_ids` (B, T), padded on the left, by up to `max_new_tokens`.

        With a `compile_mode` ("default", "reduce-overhead" …) `torch.compile` compiles the step,
        once for each `capacity` of the cache: by default, just what is needed.
        """
        needed = input_ids.size(1) + max_new_tokens - 1
        if capacity is not None and capacity < needed:
            raise ValueError(f"{needed} tokens, but the cache holds {capacity}")
        cache = StaticCache(capacity or needed, input_ids.device)
        done = torch.zeros_like(input_ids[:, 0], dtype=torch.bool)
        states, step = self.hidden_states, input_ids
        if attention_mask is not None:
            room = cache.capacity - input_ids.size(1)
            attention_mask = F.pad(attention_mask, (0, room), value=1)
        for i in range(max_new_tokens):
            x = states(step, attention_mask, cache=cache)
            token = sample(self.logits(x[:, -1:])[:, -1], temperature, top_k, top_p)  # (B,)
            step = token.masked_fill(done, pad_token_id)[:, None]  # padding after a row's end
            input_ids = torch.cat([input_ids, step], dim=1)
            if i == 0 and compile_mode is not None:
                states = torch.compile(states, fullgraph=True, mode=compile_mode)
            done |= token == eos_token_id
            if done.all():
                break
        return input_ids
