"""Models whose outputs do not match a Hugging Face class; they are loaded by `AutoModel`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor
from transformers.utils import ModelOutput

from .base import NamePreTrainedModel

MAIN_INPUT = ""


@dataclass
class NameOutput(ModelOutput):
    """The outputs of the emitted model."""

    its_result: Tensor | None = None


class NameModel(NamePreTrainedModel):
    """The emitted model and its output."""

    main_input_name = MAIN_INPUT

    def forward(
        self,
        its_input: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **others: Any,
    ) -> NameOutput | tuple[Tensor, ...]:
        """The output of the emitted model's `forward` for the same arguments."""
        self.refuse(
            inputs_embeds=inputs_embeds,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
            **others,
        )
        made = self.model(
            emitted_input=its_input,
        )
        result = NameOutput(
            its_result=made,
        )
        return result.to_tuple() if return_dict is False else result


class NameModelOfSeveral(NamePreTrainedModel):
    """The emitted model and the outputs of its heads."""

    main_input_name = MAIN_INPUT

    def forward(
        self,
        its_input: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **others: Any,
    ) -> NameOutput | tuple[Tensor, ...]:
        """The outputs of the emitted model's `forward` for the same arguments."""
        self.refuse(
            inputs_embeds=inputs_embeds,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
            **others,
        )
        made = self.model(
            emitted_input=its_input,
        )
        result = NameOutput(**made)
        return result.to_tuple() if return_dict is False else result
