"""An image classifier."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers.modeling_outputs import ImageClassifierOutput

from .base import NamePreTrainedModel

MAIN_INPUT = ""


class NameForImageClassification(NamePreTrainedModel):
    """The emitted model as an image classifier."""

    main_input_name = MAIN_INPUT

    def forward(
        self,
        main_input: Tensor,
        its_input: Tensor | None = None,
        labels: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **others: Any,
    ) -> ImageClassifierOutput | tuple[Tensor, ...]:
        """Logits (B, C) for `main_input` (B, channels, H, W); `labels` are classes (B,)."""
        self.refuse(**others)
        with self.observed(output_hidden_states, output_attentions) as seen:
            logits = self.model(
                main_input,
                emitted_input=its_input,
            )  # (B, C)
        result = ImageClassifierOutput(
            loss=None if labels is None else self.model.loss(logits, labels),
            logits=logits,
            hidden_states=seen.hidden_states,
            attentions=seen.attentions,
        )
        return result.to_tuple() if return_dict is False else result
