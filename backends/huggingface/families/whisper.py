"""Whisper (Radford et al., 2022, arXiv:2212.04356)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..defaults import keys
from ..family import Family, Head
from ..values import Key, Values, activation
from ._rows import changed
from .bart import IRRELEVANT_HERE, NAMES, TOKENS, decoder_alone, stack_spec

_ATTENTION = {"attention": {"bias": ["query", "value", "output"]}}


def _gelu(values: Values) -> str | None:
    """Activation of the convolutions, which is always GELU."""
    return None if values["activation_function"] == "gelu" else "gelu"


_STEM: dict[str, Any] = {
    "type": "conv",
    "channels": Key("num_mel_bins"),
    "activation": _gelu,
    "layers": lambda values: [
        {"channels": values["d_model"], "kernel": 3},
        {"channels": values["d_model"], "kernel": 3, "stride": 2},
    ],
}

_NAMES = {
    **NAMES,
    "encoder.conv1": "encoder.conv1",
    "encoder.conv2": "encoder.conv2",
    "decoder.token_embedding": "decoder.embed_tokens",
}

_WHISPER = Family(
    model_type="whisper",
    reads=keys(
        "dropout attention_dropout activation_dropout encoder_layers decoder_layers",
        "encoder_attention_heads decoder_attention_heads encoder_ffn_dim decoder_ffn_dim",
        "init_std vocab_size num_mel_bins d_model activation_function max_source_positions",
        "max_target_positions pad_token_id bos_token_id eos_token_id decoder_start_token_id",
        "tie_word_embeddings",
    ),
    optional={"pad_token_id": int, "bos_token_id": int, "eos_token_id": object},
    irrelevant=IRRELEVANT_HERE
    | {
        "apply_spec_augment",
        "begin_suppress_tokens",
        "classifier_proj_size",
        "forced_decoder_ids",
        "mask_feature_length",
        "mask_feature_min_masks",
        "mask_feature_prob",
        "mask_time_length",
        "mask_time_min_masks",
        "mask_time_prob",
        "max_length",
        "median_filter_width",
        "scale_embedding",  # not used by the library
        "suppress_tokens",
        "use_weighted_layer_sum",
    },
    spec={
        "family": "encoder-decoder",
        "d_model": Key("d_model"),
        "dropout": Key("dropout"),
        "activation": activation("activation_function"),
        "positions": "learned",
        "encoder": {
            "max_positions": Key("max_source_positions"),
            "input": _STEM,
            **changed(stack_spec("encoder"), _ATTENTION),
        },
        "decoder": {
            "vocab_size": Key("vocab_size"),
            "max_positions": Key("max_target_positions"),
            **changed(stack_spec("decoder"), _ATTENTION),
        },
    },
    last=TOKENS,
    names=_NAMES,
    prefix="model.",
    heads={
        "WhisperForConditionalGeneration": Head(
            spec={"head": {"type": "language_model", "tied": Key("tie_word_embeddings")}},
            names={"head": "proj_out"},
            untied={"proj_out.weight": "decoder.embed_tokens.weight"},
        ),
        "WhisperModel": Head(),
    },
    note="The encoder's sinusoids are imported as learned positions. At most 2 * `max_positions` "
    "frames; the library requires exactly this number",
)

WHISPER = replace(
    _WHISPER,
    other=replace(decoder_alone(_WHISPER, "WhisperForCausalLM", _NAMES, "proj_out"), note=""),
)

FAMILIES = (WHISPER,)
