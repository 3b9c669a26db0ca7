"""An encoder-decoder."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers import Cache, DynamicCache, EncoderDecoderCache, GenerationMixin
from transformers.modeling_outputs import BaseModelOutput, Seq2SeqLMOutput

from .base import NamePreTrainedModel
from .cache import KeptCrossCache

ENCODER_TABLE = DECODER_TABLE = ""
encoder_extra = encoder_input = decoder_input = encoder_mask = None
encoder_reads = decoder_reads = None
MAIN_INPUT = ""


class NameEncoder(nn.Module):
    """The encoder as a separate module; it refers to the model and has no weights of its own."""

    main_input_name = MAIN_INPUT
    whole: NamePreTrainedModel

    def __init__(self, whole: NamePreTrainedModel) -> None:
        super().__init__()
        vars(self)["whole"] = whole

    def forward(
        self,
        main_input: Tensor | None = None,
        encoder_mask: Tensor | None = None,
        encoder_extra: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **others: Any,
    ) -> BaseModelOutput | tuple[Tensor, ...]:
        """Hidden states (B, M, D) of the encoder for `main_input`."""
        self.whole.refuse(**others)
        with (
            self.whole.observed(output_hidden_states, output_attentions) as seen,
            self.whole.encoder_embedded(main_input, inputs_embeds, ENCODER_TABLE) as encoder_ids,
        ):
            memory = self.whole.model.its_encoder(
                encoder_reads,
                emitted_input=encoder_input,
            )  # (B, M, D)
            seen.last(memory)
        result = BaseModelOutput(
            last_hidden_state=memory,
            hidden_states=seen.hidden_states,
            attentions=seen.attentions,
        )
        return result.to_tuple() if return_dict is False else result


class NameForConditionalGeneration(NamePreTrainedModel, GenerationMixin):
    """The emitted model; the decoder generates text given the encoder's input."""

    main_input_name = MAIN_INPUT

    def get_encoder(self, modality: str | None = None) -> NameEncoder:
        return NameEncoder(self)

    def prepare_decoder_input_ids_from_labels(self, labels: Tensor) -> Tensor:
        """The labels (B, T), shifted right, after the start token."""
        start, pad = self.config.decoder_start_token_id, self.config.pad_token_id
        if start is None:
            raise ValueError("labels need a decoder_start_token_id in the config")
        shifted = labels.roll(1, dims=-1)
        shifted[:, 0] = start
        return shifted.masked_fill(shifted == -100, start if pad is None else pad)

    def prepare_inputs_for_generation(self, input_ids: Tensor, **kwargs: Any) -> dict[str, Any]:
        """The arguments of `forward` for each step of generation."""
        self.grow(input_ids, kwargs, kwargs.get("decoder_attention_mask"))
        inputs = super().prepare_inputs_for_generation(input_ids, **kwargs)
        inputs.pop("cache_position", None)
        return inputs

    def forward(
        self,
        main_input: Tensor | None = None,
        encoder_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        its_input: Tensor | None = None,
        encoder_outputs: BaseModelOutput | tuple[Tensor, ...] | None = None,
        past_key_values: Cache | None = None,
        cache: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        decoder_inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        **others: Any,
    ) -> Seq2SeqLMOutput | tuple[Tensor, ...]:
        """Logits (B, T, V) for `decoder_input_ids` (B, T), given `main_input`.

        `cache` is the name of `past_key_values` since version 5.24 of the library.
        `decoder_input_ids` defaults to the shifted `labels`, in which -100 is ignored.
        """
        self.refuse(**others)
        if encoder_outputs is None:
            encoder_outputs = self.get_encoder()(
                main_input,
                encoder_mask=encoder_mask,
                encoder_extra=encoder_extra,
                inputs_embeds=inputs_embeds,
                output_attentions=output_attentions,
                output_hidden_states=output_hidden_states,
            )
        if decoder_input_ids is None and decoder_inputs_embeds is None:
            if labels is None:
                raise ValueError("decoder_input_ids, decoder_inputs_embeds or labels are needed")
            decoder_input_ids = self.prepare_decoder_input_ids_from_labels(labels)
        cache = past_key_values if cache is None else cache
        if use_cache and cache is None and not self.recomputes:
            kept = DynamicCache(config=self.config), DynamicCache(config=self.config)
            cache = EncoderDecoderCache(*kept)
        with (
            self.observed(output_hidden_states, output_attentions) as seen,
            self.decoder_embedded(
                decoder_input_ids, decoder_inputs_embeds, DECODER_TABLE
            ) as decoder_ids,
        ):
            x = self.model.its_decoder(
                decoder_reads,
                emitted_input=decoder_input,
                cache=None if cache is None else KeptCrossCache(cache),
            )  # (B, T, D)
            seen.last(x)
        if isinstance(logits_to_keep, Tensor):
            x = x[:, logits_to_keep]
        elif logits_to_keep:
            x = x[:, -logits_to_keep:]
        logits = self.model.logits(x)  # (B, T, V)
        result = self.cached_result(
            Seq2SeqLMOutput,
            cache,
            loss=None if labels is None else self.model.loss(logits, labels),
            logits=logits,
            decoder_hidden_states=seen.hidden_states,
            decoder_attentions=seen.attentions and seen.attentions[::2],
            cross_attentions=seen.attentions and seen.attentions[1::2],
            encoder_last_hidden_state=encoder_outputs[0],
            encoder_hidden_states=getattr(encoder_outputs, "hidden_states", None),
            encoder_attentions=getattr(encoder_outputs, "attentions", None),
        )
        return result.to_tuple() if return_dict is False else result
