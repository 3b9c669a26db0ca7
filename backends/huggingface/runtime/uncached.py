"""A causal language model without a cache: each step computes the whole text."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import GenerationMixin
from transformers.modeling_outputs import CausalLMOutput

from .base import NamePreTrainedModel


class NameForCausalLM(NamePreTrainedModel, GenerationMixin):
    """The emitted model; its logits predict the next token. It has no cache."""

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return False

    def prepare_inputs_for_generation(self, input_ids: Tensor, **kwargs: Any) -> dict[str, Any]:
        """The arguments of `forward` for each step of generation."""
        self.refuse_padding(kwargs)
        self.grow(input_ids, kwargs, kwargs.get("attention_mask"))
        inputs = super().prepare_inputs_for_generation(input_ids, **kwargs)
        inputs.pop("cache_position", None)
        return inputs

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        its_input: Tensor | None = None,
        past_key_values: Any = None,
        cache: Any = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        **others: Any,
    ) -> CausalLMOutput | tuple[Tensor, ...]:
        """Logits (B, T, V) for `input_ids` (B, T); only of the last `logits_to_keep` tokens, if
        given.

        `labels` are the ids themselves, with -100 where they are ignored; the loss shifts them.
        """
        self.refuse(
            past_key_values=past_key_values,
            cache=cache,
            use_cache=use_cache,
            **others,
        )
        with (
            self.observed(output_hidden_states, output_attentions) as seen,
            self.embedded(input_ids, inputs_embeds) as ids,
        ):
            x = self.model.hidden_states(
                ids,
                emitted_input=its_input,
            )  # (B, T, D)
        if isinstance(logits_to_keep, Tensor):
            x = x[:, logits_to_keep]
        elif logits_to_keep:
            x = x[:, -logits_to_keep:]
        logits = self.model.logits(x)  # (B, T, V)
        result = CausalLMOutput(
            loss=None if labels is None else self.model.loss(logits, labels),
            logits=logits,
            hidden_states=seen.hidden_states,
            attentions=seen.attentions,
        )
        return result.to_tuple() if return_dict is False else result
