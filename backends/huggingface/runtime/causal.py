"""A causal language model with a cache."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import Cache, GenerationMixin
from transformers import DynamicCache as NewCache
from transformers.modeling_outputs import CausalLMOutputWithPast

from .base import NamePreTrainedModel
from .cache import KeptCache as KeptOf

LENGTHS: tuple[int, ...] = ()


class NameForCausalLM(NamePreTrainedModel, GenerationMixin):
    """The emitted model; its logits predict the next token."""

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return False

    def prepare_inputs_for_generation(
        self, input_ids: Tensor, inputs_embeds: Tensor | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """The arguments of `forward` for each step of generation."""
        kwargs["inputs_embeds"] = inputs_embeds  # `generate` accepts only arguments named here
        self.refuse_padding(kwargs)
        self.grow(input_ids, kwargs, kwargs.get("attention_mask"))
        input_ids = self.restarted(input_ids, kwargs)
        inputs = super().prepare_inputs_for_generation(input_ids, **kwargs)
        inputs.pop("cache_position", None)
        return inputs

    def restarted(self, ids: Tensor, given: dict[str, Any]) -> Tensor:
        """The ids of a step; where LongRoPE switches its factors, all ids with a new cache."""
        mask, vectors = given.get("attention_mask"), given.get("inputs_embeds")
        name = "cache" if "cache" in given else "past_key_values"  # since and before version 5.24
        cache, places = given.get(name), given.get("position_ids")
        kept = 0 if cache is None else int(cache.get_seq_length())
        if mask is None and places is not None:  # nothing is padding
            mask = torch.ones_like(places)
        if not kept or mask is None:
            return ids
        before, after = (int(part.sum(-1).max()) for part in (mask[:, :kept], mask))
        if not any(before <= length < after for length in LENGTHS):
            return ids
        new = mask.size(1) - (0 if vectors is None else vectors.size(1))
        if ids.size(1) < new or (mask.size(1) > kept + 1 and not given.get("is_first_iteration")):
            raise ValueError(f"{after} tokens need the long LongRoPE factors; encode all at once")
        if vectors is not None:
            table = self.get_input_embeddings()
            given["inputs_embeds"] = torch.cat([vectors, table(ids[:, -new:])], dim=1)
        if "cache_position" in given:  # in the first versions that are supported
            given["cache_position"] = torch.arange(mask.size(1), device=ids.device)
        given.pop("next_sequence_length", None)
        places = (mask.long().cumsum(-1) - 1).clamp(min=0)
        given.update({name: None}, position_ids=places, is_first_iteration=True)
        return ids

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        its_input: Tensor | None = None,
        past_key_values: Cache | None = None,
        cache: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        **others: Any,
    ) -> CausalLMOutputWithPast | tuple[Tensor, ...]:
        """Logits (B, T, V) for `input_ids` (B, T); only of the last `logits_to_keep` tokens, if
        given.

        `cache` is the name of `past_key_values` since version 5.24 of the library. `labels` are the
        ids themselves, with -100 where they are ignored; the loss shifts them.
        """
        self.refuse(**others)
        cache = past_key_values if cache is None else cache
        if use_cache and cache is None and not self.recomputes:
            cache = NewCache(config=self.config)
        with (
            self.observed(output_hidden_states, output_attentions) as seen,
            self.embedded(input_ids, inputs_embeds) as ids,
        ):
            x = self.model.hidden_states(
                ids,
                emitted_input=its_input,
                cache=None if cache is None else KeptOf(cache),
            )  # (B, T, D)
        if isinstance(logits_to_keep, Tensor):
            x = x[:, logits_to_keep]
        elif logits_to_keep:
            x = x[:, -logits_to_keep:]
        logits = self.model.logits(x)  # (B, T, V)
        result = self.cached_result(
            CausalLMOutputWithPast,
            cache,
            loss=None if labels is None else self.model.loss(logits, labels),
            logits=logits,
            hidden_states=seen.hidden_states,
            attentions=seen.attentions,
        )
        return result.to_tuple() if return_dict is False else result
