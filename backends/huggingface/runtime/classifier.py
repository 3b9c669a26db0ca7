"""Classifiers of sequences and tokens."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers.modeling_outputs import SequenceClassifierOutput, TokenClassifierOutput

from .base import NamePreTrainedModel


class NameForSequenceClassification(NamePreTrainedModel):
    """The emitted model as a text classifier."""

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        its_input: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **others: Any,
    ) -> SequenceClassifierOutput | tuple[Tensor, ...]:
        """Logits (B, C) for `input_ids` (B, T); `problem_type` defines the form of `labels`."""
        self.refuse(**others)
        with (
            self.observed(output_hidden_states, output_attentions) as seen,
            self.embedded(input_ids, inputs_embeds) as ids,
        ):
            logits = self.model(
                ids,
                emitted_input=its_input,
            )  # (B, C)
        loss = None
        if labels is not None:
            loss = self.loss_function(labels=labels, pooled_logits=logits, config=self.config)
        result = SequenceClassifierOutput(
            loss=loss,
            logits=logits,
            hidden_states=seen.hidden_states,
            attentions=seen.attentions,
        )
        return result.to_tuple() if return_dict is False else result


class NameForTokenClassification(NamePreTrainedModel):
    """The emitted model as a token classifier."""

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        its_input: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **others: Any,
    ) -> TokenClassifierOutput | tuple[Tensor, ...]:
        """Logits (B, T, C) for `input_ids` (B, T); -100 in `labels` (B, T) is ignored."""
        self.refuse(**others)
        with (
            self.observed(output_hidden_states, output_attentions) as seen,
            self.embedded(input_ids, inputs_embeds) as ids,
        ):
            logits = self.model(
                ids,
                emitted_input=its_input,
            )  # (B, T, C)
        result = TokenClassifierOutput(
            loss=None if labels is None else self.model.loss(logits, labels),
            logits=logits,
            hidden_states=seen.hidden_states,
            attentions=seen.attentions,
        )
        return result.to_tuple() if return_dict is False else result
