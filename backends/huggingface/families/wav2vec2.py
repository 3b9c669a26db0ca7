"""wav2vec 2.0 (Baevski et al., 2020, arXiv:2006.11477), and rows shared by similar models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..defaults import Keys, keys
from ..family import Family, Head, Names
from ..layouts import WeightNorm
from ..values import (
    ACTIVATIONS,
    Key,
    Multiple,
    Only,
    OtherFamilyError,
    RefusedError,
    Values,
    activation,
)
from ._rows import changed

_KEYS = keys(
    "vocab_size hidden_size num_hidden_layers num_attention_heads intermediate_size",
    "hidden_act hidden_dropout activation_dropout attention_dropout initializer_range",
    "layer_norm_eps feat_extract_norm feat_extract_activation conv_dim conv_stride",
    "conv_kernel conv_bias num_conv_pos_embeddings num_conv_pos_embedding_groups",
    "do_stable_layer_norm classifier_proj_size final_dropout id2label",
)

# Keys of random masking in training, of losses and of other classes.
_IRRELEVANT = frozenset(
    [
        "apply_spec_augment",
        "bos_token_id",
        "codevector_dim",
        "contrastive_logits_temperature",
        "ctc_loss_reduction",
        "ctc_zero_infinity",
        "diversity_loss_weight",
        "eos_token_id",
        "feat_extract_dropout",
        "feat_proj_dropout",
        "feat_quantizer_dropout",
        "freeze_feat_extract_train",
        "hidden_dropout_prob",
        "layerdrop",
        "mask_channel_length",
        "mask_channel_min_space",
        "mask_channel_other",
        "mask_channel_prob",
        "mask_channel_selection",
        "mask_feature_length",
        "mask_feature_min_masks",
        "mask_feature_prob",
        "mask_time_length",
        "mask_time_min_masks",
        "mask_time_min_space",
        "mask_time_other",
        "mask_time_prob",
        "mask_time_selection",
        "no_mask_channel_overlap",
        "no_mask_time_overlap",
        "num_codevector_groups",
        "num_codevectors_per_group",
        "num_feat_extract_layers",
        "num_negatives",
        "pad_token_id",
        "proj_codevector_dim",
        "tdnn_dilation",
        "tdnn_dim",
        "tdnn_kernel",
        "tokenizer_class",
        "xvector_output_dim",
    ]
)

_ADAPTERS: Mapping[str, Any] = {"add_adapter": False, "adapter_attn_dim": None}

_ADAPTER_SIZES = frozenset(
    ["adapter_kernel_size", "adapter_stride", "num_adapter_layers", "output_hidden_size"]
)


def _convolutions(values: Values) -> list[dict[str, Any]]:
    """The convolutions: with a norm over channels each, or over frames in the first one only.

    In the library, these norms use torch's default eps, so `layer_norm_eps` must equal it.
    """
    if values["layer_norm_eps"] != 1e-5:
        value = values["layer_norm_eps"]
        raise RefusedError(f"`layer_norm_eps: {value}` is not supported; known: 1e-05")
    kind = values["feat_extract_norm"]
    if kind not in ("group", "layer"):
        raise RefusedError(f"`feat_extract_norm: {kind}` is not supported; known: group, layer")
    sizes = [values[key] for key in ("conv_dim", "conv_kernel", "conv_stride")]
    if len({len(each) for each in sizes}) != 1:
        raise RefusedError("`conv_dim`, `conv_kernel` and `conv_stride` differ in length")
    layers: list[dict[str, Any]] = []
    for channels, kernel, stride in zip(*sizes, strict=True):
        layer = {"channels": channels, "kernel": kernel, "stride": stride}
        if stride == 1:
            del layer["stride"]
        if kind == "layer" or not layers:
            layer["normalize"] = "channels" if kind == "layer" else "frames"
        layers.append(layer)
    return layers


def _stem_activation(values: Values) -> str | None:
    name, usual = (ACTIVATIONS.get(values[k]) for k in ("feat_extract_activation", "hidden_act"))
    if name is None:
        value = values["feat_extract_activation"]
        raise RefusedError(f"`feat_extract_activation: {value}` is not supported yet")
    return None if name == usual else name


_SPEC: Mapping[str, Any] = {
    "family": "encoder-only",
    "d_model": Key("hidden_size"),
    "layers": Key("num_hidden_layers"),
    "dropout": Key("hidden_dropout"),
    "activation": activation("hidden_act"),
    "norm": {"eps": Key("layer_norm_eps")},
    "norm_placement": Only("do_stable_layer_norm", False, "post"),
    "input": {
        "type": "conv",
        "argument": "input_values",
        "layout": "waveform",
        "channels": 1,
        "padded": False,
        "activation": _stem_activation,
        "bias": Key("conv_bias"),
        "layers": _convolutions,
        "project": "normalized",
        "normalize": Only("do_stable_layer_norm", False, True),
    },
    "positions": {
        "type": "convolution",
        "kernel": Key("num_conv_pos_embeddings"),
        "groups": Key("num_conv_pos_embedding_groups"),
        "activation": activation("feat_extract_activation"),
    },
    "attention": {"heads": Key("num_attention_heads"), "dropout": Key("attention_dropout")},
    "feed_forward": {
        "d_ff": Multiple("intermediate_size"),
        "hidden_dropout": Key("activation_dropout"),
    },
}


def _back(spec: Any) -> dict[str, Any]:
    """Config keys of the convolutions. With `mask_time_prob` 0 the library has no mask vector."""
    (stack,) = spec.stacks.values()
    if stack.input[0].type != "conv":
        raise OtherFamilyError("it reads no sounds")
    layers = stack.input[0].layers
    return {
        "conv_dim": [layer.channels for layer in layers],
        "conv_kernel": [layer.kernel for layer in layers],
        "conv_stride": [layer.stride for layer in layers],
        "feat_extract_norm": "layer" if layers[-1].normalize == "channels" else "group",
        "mask_time_prob": 0.0,
    }


def _names(values: Values) -> Names:
    rows: dict[Any, Any] = {
        "features_norm": "feature_projection.layer_norm",
        "input_projection": "feature_projection.projection",
        "position_convolution.weight": WeightNorm(
            "encoder.pos_conv_embed.conv.parametrizations.weight"
        ),
        "position_convolution.bias": "encoder.pos_conv_embed.conv.bias",
        "norm" if values["do_stable_layer_norm"] else "embedding_norm": "encoder.layer_norm",
        "layers.{}.attention_norm": "encoder.layers.{}.layer_norm",
        "layers.{}.feed_forward_norm": "encoder.layers.{}.final_layer_norm",
        "layers.{}.feed_forward.up": "encoder.layers.{}.feed_forward.intermediate_dense",
        "layers.{}.feed_forward.down": "encoder.layers.{}.feed_forward.output_dense",
    }
    for part, letter in (("query", "q"), ("key", "k"), ("value", "v"), ("output", "out")):
        rows[f"layers.{{}}.attention.{part}"] = f"encoder.layers.{{}}.attention.{letter}_proj"
    for index in range(len(values["conv_dim"])):
        theirs = f"feature_extractor.conv_layers.{index}"
        rows[f"conv{index + 1}"] = f"{theirs}.conv"
        rows[f"conv{index + 1}_norm"] = f"{theirs}.layer_norm"
    return rows


_OLDER = ".conv.weight_"

_NOTE = "All signals in a batch have the same length; padding is not supported"


def _head(classes: Any, names: Mapping[str, str], **more: Any) -> Head:
    head = {"type": "classifier", "classes": classes, **more}
    return Head(spec={"head": head}, names=names, fixed={"use_weighted_layer_sum": False})


def waveform_encoder(
    model_type: str,
    name: str,
    *,
    reads: Keys = (),
    spec: Mapping[str, Any] = {},
    fixed: Mapping[str, Any] = {},
    irrelevant: frozenset[str] = frozenset(),
    frames: bool = False,
) -> Family:
    """A family like wav2vec 2.0.

    frames: whether the library has a class for frame classification
    """
    of_all = _head(
        Key("id2label", read=len),
        {"head.dense": "projector", "head.output": "classifier"},
        pool="mean",
        hidden=Key("classifier_proj_size"),
        activation="identity",
        dropout=0,
    )
    of_each = _head(Key("id2label", read=len), {"head.output": "classifier"}, dropout=0)
    return Family(
        model_type=model_type,
        reads=keys(_KEYS, reads),
        optional={"vocab_size": int},
        fixed=fixed,
        irrelevant=_IRRELEVANT | irrelevant | {"use_weighted_layer_sum"},
        spec=changed(_SPEC, spec),
        last={"init": {"type": "normal", "std": Key("initializer_range")}},
        names=_names,
        back=_back,
        prefix=f"{model_type.replace('-', '_')}.",
        renamed={
            f"{_OLDER}{letter}": f".conv.parametrizations.weight.original{number}"
            for number, letter in enumerate("gv")
        },
        unused=(r"masked_spec_embed",),
        heads={
            f"{name}Model": Head(),
            f"{name}ForCTC": _head(
                Key("vocab_size"), {"head.output": "lm_head"}, dropout=Key("final_dropout")
            ),
            f"{name}ForSequenceClassification": of_all,
            **({f"{name}ForAudioFrameClassification": of_each} if frames else {}),
        },
        note=_NOTE,
    )


_PRETRAINED = Head(
    spec={"head": {"type": "projection", "size": Key("proj_codevector_dim")}},
    names={"head.dense": "project_hid"},
    unused=(r"quantizer\..*", r"project_q\..*"),
    partial=True,
)
"""The pretraining class without its quantizer, which only the loss uses."""

WAV2VEC2 = waveform_encoder(
    "wav2vec2", "Wav2Vec2", fixed=_ADAPTERS, irrelevant=_ADAPTER_SIZES, frames=True
)

WAV2VEC2 = replace(
    WAV2VEC2,
    reads=keys(WAV2VEC2.reads, "proj_codevector_dim"),
    heads={**WAV2VEC2.heads, "Wav2Vec2ForPreTraining": _PRETRAINED},
)

FAMILIES = (WAV2VEC2,)
