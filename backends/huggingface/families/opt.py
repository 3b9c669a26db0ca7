"""Decoders written with Fairseq: OPT (Zhang et al., 2022, arXiv:2205.01068), XGLM (Lin et al.,
2021, arXiv:2112.10668), BioGPT (Luo et al., 2022, arXiv:2210.10341), TrOCR's decoder (Li et al.,
2021, arXiv:2109.10282)."""

from __future__ import annotations

from typing import Any

from ..family import Family, Names
from ..values import IfSet, Key, Only, Values, activation
from .rows import LABELS, LAST, SEQUENCE, TOKEN_KEYS, TOKENS, causal_heads, changed

_NAMES: Names = {
    "token_embedding": "embed_tokens",
    "position_embedding": "embed_positions",
    "norm": "layer_norm",
    "layers.{}.attention_norm": "layers.{}.self_attn_layer_norm",
    "layers.{}.attention.query": "layers.{}.self_attn.q_proj",
    "layers.{}.attention.key": "layers.{}.self_attn.k_proj",
    "layers.{}.attention.value": "layers.{}.self_attn.v_proj",
    "layers.{}.attention.output": "layers.{}.self_attn.out_proj",
    "layers.{}.feed_forward_norm": "layers.{}.final_layer_norm",
    "layers.{}.feed_forward.up": "layers.{}.fc1",
    "layers.{}.feed_forward.down": "layers.{}.fc2",
}
_LAST = {"init": {"type": "normal", "std": Key("init_std")}, "tokens": TOKENS}
_COUNTED = {"type": "learned", "offset": 2, "skip_padding": "mask"}

# -- OPT


def _width(values: Values) -> int | None:
    """Of embeddings that are narrower than the model (OPT-350m); projections have no bias."""
    width: int = values["word_embed_proj_dim"] or values["hidden_size"]
    return None if width == values["hidden_size"] else width


def _no_final_norm(values: Values) -> bool | None:
    removed = values["do_layer_norm_before"] and values["_remove_final_layer_norm"]
    return False if removed else None


_OPT_NAMES: Names = {
    **{ours: f"decoder.{theirs}" for ours, theirs in _NAMES.items()},
    "norm": "decoder.final_layer_norm",
    "embedding_projection": "decoder.project_in",
    "output_projection": "decoder.project_out",
}

OPT = Family(
    model_type="opt",
    defaults={
        "vocab_size": 50272,
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "ffn_dim": 3072,
        "activation_function": "relu",
        "max_position_embeddings": 2048,
        "do_layer_norm_before": True,
        "_remove_final_layer_norm": False,
        "enable_bias": True,
        "layer_norm_elementwise_affine": True,
        "dropout": 0.1,
        "attention_dropout": 0.0,
        "init_std": 0.02,
        "pad_token_id": 1,
        "bos_token_id": 2,
        "eos_token_id": 2,
        "tie_word_embeddings": True,
        "id2label": LABELS,
    },
    optional={**TOKEN_KEYS, "word_embed_proj_dim": int},
    irrelevant=frozenset(["activation_dropout", "layerdrop"]),
    spec={
        "family": "decoder-only",
        "vocab_size": Key("vocab_size"),
        "max_positions": Key("max_position_embeddings"),
        "d_model": Key("hidden_size"),
        "layers": Key("num_hidden_layers"),
        "dropout": Key("dropout"),
        "activation": activation("activation_function"),
        "bias": lambda values: bool(values["enable_bias"]) and _width(values) is None,
        "norm": {"affine": Key("layer_norm_elementwise_affine")},
        "norm_placement": Only("do_layer_norm_before", False, "post"),
        "final_norm": _no_final_norm,
        "input": {
            "width": _width,
            "project": lambda values: "before_positions" if _width(values) else None,
            "dropout": 0,
        },
        "output_width": _width,
        "positions": _COUNTED,
        "attention": {
            "heads": Key("num_attention_heads"),
            "bias": Key("enable_bias"),
            "dropout": Key("attention_dropout"),
        },
        "feed_forward": {"hidden": Key("ffn_dim"), "bias": Key("enable_bias")},
    },
    last=_LAST,
    names=_OPT_NAMES,
    prefix="model.",
    heads=causal_heads(
        "OPT",
        table="decoder.embed_tokens",
        tasks=("SequenceClassification", "QuestionAnswering"),
        answers="model.",
    ),
)

# -- XGLM and BioGPT

_XGLM_SPEC: dict[str, Any] = {
    "family": "decoder-only",
    "vocab_size": Key("vocab_size"),
    "max_positions": Key("max_position_embeddings"),
    "d_model": Key("d_model"),
    "layers": Key("num_layers"),
    "dropout": Key("dropout"),
    "activation": activation("activation_function"),
    "input": {"scale": IfSet("scale_embedding", "sqrt_d_model")},
    "positions": {"type": "sinusoidal", "denominator": "half_minus_one", "offset": 2},
    "attention": {"heads": Key("attention_heads"), "dropout": Key("attention_dropout")},
    "feed_forward": {"hidden": Key("ffn_dim"), "hidden_dropout": Key("activation_dropout")},
}

XGLM = Family(
    model_type="xglm",
    defaults={
        "vocab_size": 256008,
        "d_model": 1024,
        "num_layers": 24,
        "attention_heads": 16,
        "ffn_dim": 4096,
        "activation_function": "gelu",
        "max_position_embeddings": 2048,
        "scale_embedding": True,
        "dropout": 0.1,
        "attention_dropout": 0.1,
        "activation_dropout": 0.0,
        "init_std": 0.02,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "tie_word_embeddings": True,
    },
    optional=TOKEN_KEYS,
    irrelevant=frozenset(["layerdrop"]),
    spec=_XGLM_SPEC,
    last=_LAST,
    names=_NAMES,
    prefix="model.",
    unused=(r"embed_positions\.weights",),
    heads=causal_heads("XGLM", tasks=()),
)

BIOGPT = Family(
    model_type="biogpt",
    defaults={
        "vocab_size": 42384,
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
        "hidden_act": "gelu",
        "max_position_embeddings": 1024,
        "scale_embedding": True,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "activation_dropout": 0.0,
        "initializer_range": 0.02,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "tie_word_embeddings": True,
        "id2label": LABELS,
    },
    optional=TOKEN_KEYS,
    irrelevant=frozenset(["layer_norm_eps", "layerdrop"]),  # norms have 1e-5, whatever it says
    spec=changed(
        _XGLM_SPEC,
        {
            "d_model": Key("hidden_size"),
            "layers": Key("num_hidden_layers"),
            "dropout": Key("hidden_dropout_prob"),
            "activation": activation("hidden_act"),
            "positions": _COUNTED,
            "attention": {
                "heads": Key("num_attention_heads"),
                "dropout": Key("attention_probs_dropout_prob"),
            },
            "feed_forward": {"hidden": Key("intermediate_size")},
        },
    ),
    last=LAST,
    names=_NAMES,
    prefix="biogpt.",
    heads=causal_heads("BioGpt", output="output_projection", tasks=SEQUENCE),
)

# -- TrOCR: the decoder alone

TROCR = Family(
    model_type="trocr",
    defaults={
        "vocab_size": 50265,
        "d_model": 1024,
        "decoder_layers": 12,
        "decoder_attention_heads": 16,
        "decoder_ffn_dim": 4096,
        "activation_function": "gelu",
        "max_position_embeddings": 512,
        "scale_embedding": False,
        "layernorm_embedding": True,
        "use_learned_position_embeddings": True,
        "dropout": 0.1,
        "attention_dropout": 0.0,
        "activation_dropout": 0.0,
        "init_std": 0.02,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "tie_word_embeddings": True,
    },
    optional=TOKEN_KEYS,
    fixed={"use_learned_position_embeddings": True},
    irrelevant=frozenset(["decoder_layerdrop", "decoder_start_token_id", "classifier_dropout"]),
    spec=changed(
        _XGLM_SPEC,
        {
            "layers": Key("decoder_layers"),
            "norm_placement": "post",
            "input": {"normalize": Key("layernorm_embedding")},
            "positions": {"type": "learned", "offset": 2},
            "attention": {"heads": Key("decoder_attention_heads")},
            "feed_forward": {"hidden": Key("decoder_ffn_dim")},
        },
    ),
    last=_LAST,
    names={**_NAMES, "embedding_norm": "layernorm_embedding"},
    prefix="model.decoder.",
    unused=(r"layers\.\d+\.encoder_attn.*",),  # text alone asks no encoder
    heads={
        "TrOCRForCausalLM": causal_heads("TrOCR", output="output_projection", tasks=())[
            "TrOCRForCausalLM"
        ]
    },
)

FAMILIES = (OPT, XGLM, BIOGPT, TROCR)
