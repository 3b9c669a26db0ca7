"""Speech2Text (Wang et al., 2020, arXiv:2010.05171): gated convolutions before BART's layers."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..family import Family, Head
from ..values import IfSet, Key, OtherFamilyError, RefusedError, Values, activation
from ._rows import after_padding
from .bart import IRRELEVANT_HERE, NAMES, TOKENS, stack_spec

_SCALE = IfSet("scale_embedding", "sqrt_d_model")


def _convolutions(values: Values) -> list[dict[str, Any]]:
    """Convolutions with stride 2 and gated linear units."""
    kernels, width = values["conv_kernel_sizes"], values["d_model"]
    if len(kernels) != values["num_conv_layers"]:
        raise RefusedError("`conv_kernel_sizes` must have one number per layer (`num_conv_layers`)")
    channels = [values["conv_channels"] // 2] * (len(kernels) - 1) + [width]
    return [
        {"channels": out, "kernel": kernel, "stride": 2, "gated": True}
        for out, kernel in zip(channels, kernels, strict=True)
    ]


def _sound_positions(values: Values) -> str | None:
    """The library takes all frames for padding if `pad_token_id` is 0, so none has a position."""
    return "none" if values["pad_token_id"] == 0 else None


def _back(spec: Any) -> dict[str, Any]:
    """Config keys of the convolutions, from a spec."""
    stem = spec.stacks["encoder"].input[0]
    if stem.type != "conv":
        raise OtherFamilyError("it reads no sounds")
    return {
        "num_conv_layers": len(stem.layers),
        "conv_kernel_sizes": [layer.kernel for layer in stem.layers],
        "conv_channels": 2 * stem.layers[0].channels,
        "input_feat_per_channel": stem.channels,
    }


SPEECH_TO_TEXT = Family(
    model_type="speech_to_text",
    reads=keys(
        "attention_dropout activation_dropout encoder_ffn_dim decoder_ffn_dim",
        "encoder_attention_heads decoder_attention_heads encoder_layers decoder_layers",
        "dropout init_std vocab_size d_model activation_function scale_embedding",
        "max_target_positions num_conv_layers conv_kernel_sizes conv_channels",
        "input_feat_per_channel input_channels pad_token_id bos_token_id eos_token_id",
        "decoder_start_token_id tie_word_embeddings",
    ),
    optional={"pad_token_id": int, "bos_token_id": int, "eos_token_id": object},
    irrelevant=IRRELEVANT_HERE
    | {
        "begin_suppress_tokens",
        "classifier_dropout",
        "early_stopping",
        "max_length",
        "max_source_positions",  # the library's position table grows
        "num_beams",
    },
    spec={
        "family": "encoder-decoder",
        "d_model": Key("d_model"),
        "dropout": Key("dropout"),
        "activation": activation("activation_function"),
        "positions": {
            "type": "sinusoidal",
            "denominator": "half_minus_one",
            "offset": after_padding,
        },
        "encoder": {
            "input": {
                "type": "conv",
                "layout": "frames",
                "channels": lambda values: (
                    values["input_channels"] * values["input_feat_per_channel"]
                ),
                "activation": "identity",
                "layers": _convolutions,
                "scale": _SCALE,
            },
            "positions": _sound_positions,
            **stack_spec("encoder"),
        },
        "decoder": {
            "vocab_size": Key("vocab_size"),
            "max_positions": Key("max_target_positions"),
            "input": {"scale": _SCALE},
            "positions": {"skip_padding": "mask"},
            **stack_spec("decoder"),
        },
    },
    last=TOKENS,
    names=lambda values: {
        **NAMES,
        "decoder.token_embedding": "decoder.embed_tokens",
        **{
            f"encoder.conv{index + 1}": f"encoder.conv.conv_layers.{index}"
            for index in range(values["num_conv_layers"])
        },
    },
    back=_back,
    prefix="model.",
    unused=(r"(encoder|decoder)\.embed_positions\.weights",),
    heads={
        "Speech2TextForConditionalGeneration": Head(
            spec={"head": {"type": "language_model", "tied": Key("tie_word_embeddings")}},
            names={"head": "lm_head"},
            untied={"lm_head.weight": "decoder.embed_tokens.weight"},
        ),
        "Speech2TextModel": Head(),
    },
    note="All signals in a batch have the same length; padding is not supported",
)

FAMILIES = (SPEECH_TO_TEXT,)
