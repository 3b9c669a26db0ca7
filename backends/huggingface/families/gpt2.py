"""Decoders of the GPT line: GPT-2 (Radford et al., 2019) and what is built as it is."""

from __future__ import annotations

from typing import Any

from ..family import Family, Head, Names
from ..layouts import Layout
from ..rotary import Rotary
from ..values import Key, Only, RefusedError, Row, Values, activation
from .rows import LABELS, LAST, QKV, TOKEN_KEYS, causal_heads, changed

# -- GPT-2

_GPT2_NAMES: Names = {
    "token_embedding": "wte",
    "position_embedding": "wpe",
    "norm": "ln_f",
    "layers.{}.attention_norm": "h.{}.ln_1",
    QKV: Layout("h.{}.attn.c_attn", transposed=True),
    "layers.{}.attention.output": Layout("h.{}.attn.c_proj", transposed=True),
    "layers.{}.feed_forward_norm": "h.{}.ln_2",
    "layers.{}.feed_forward.up": Layout("h.{}.mlp.c_fc", transposed=True),
    "layers.{}.feed_forward.down": Layout("h.{}.mlp.c_proj", transposed=True),
}

_GPT2_DEFAULTS: dict[str, Any] = {
    "vocab_size": 50257,
    "n_positions": 1024,
    "n_embd": 768,
    "n_layer": 12,
    "n_head": 12,
    "activation_function": "gelu_new",
    "resid_pdrop": 0.1,
    "embd_pdrop": 0.1,
    "attn_pdrop": 0.1,
    "layer_norm_epsilon": 1e-5,
    "initializer_range": 0.02,
    "bos_token_id": 50256,
    "eos_token_id": 50256,
    "tie_word_embeddings": True,
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "id2label": LABELS,
}


def _scale(values: Values) -> str | None:
    """What is said of the scores, which may be divided by the number of the layer too."""
    if not values["scale_attn_by_inverse_layer_idx"]:
        return None if values["scale_attn_weights"] else "none"
    if not values["scale_attn_weights"]:
        raise RefusedError("`scale_attn_by_inverse_layer_idx` alone is not supported")
    return "by_layer"


_GPT2_SPEC: dict[str, Any] = {
    "family": "decoder-only",
    "vocab_size": Key("vocab_size"),
    "max_positions": Key("n_positions"),
    "d_model": Key("n_embd"),
    "layers": Key("n_layer"),
    "dropout": Key("resid_pdrop"),
    "norm": {"eps": Key("layer_norm_epsilon")},
    "input": {"dropout": Key("embd_pdrop")},
    "positions": "learned",
    "attention": {
        "heads": Key("n_head"),
        "scale": _scale,
        "dropout": Key("attn_pdrop"),
    },
    "feed_forward": {"hidden": Key("n_inner"), "activation": activation("activation_function")},
}
_SUMMARY = frozenset(
    [
        "n_ctx",
        "reorder_and_upcast_attn",
        "summary_activation",
        "summary_first_dropout",
        "summary_proj_to_labels",
        "summary_type",
        "summary_use_proj",
    ]
)
GPT2_UNUSED = (r"h\.\d+\.attn\.(masked_)?bias",)

GPT2 = Family(
    model_type="gpt2",
    defaults=_GPT2_DEFAULTS,
    optional={**TOKEN_KEYS, "n_inner": int},
    irrelevant=_SUMMARY,
    spec=_GPT2_SPEC,
    last=LAST,
    names=_GPT2_NAMES,
    prefix="transformer.",
    unused=GPT2_UNUSED,
    heads={
        "GPT2LMHeadModel": causal_heads("GPT2", table="wte")["GPT2ForCausalLM"],
        "GPT2Model": Head(),
        "GPT2ForSequenceClassification": causal_heads("GPT2")["GPT2ForSequenceClassification"],
    },
)

# -- ImageGPT (Chen et al., 2020): pixels as words of 512 colours, and one that begins an image


def _colours(values: Values) -> int:
    """Those that can come next: all words but the one that begins an image."""
    return int(values["vocab_size"]) - 1


IMAGEGPT = Family(
    model_type="imagegpt",
    defaults={
        **_GPT2_DEFAULTS,
        "vocab_size": 513,
        "n_embd": 512,
        "n_layer": 24,
        "n_head": 8,
        "activation_function": "quick_gelu",
        "bos_token_id": None,
        "eos_token_id": None,
        "tie_word_embeddings": False,
    },
    optional={**TOKEN_KEYS, "n_inner": int},
    fixed={"add_cross_attention": False},
    irrelevant=frozenset(["reorder_and_upcast_attn", "n_ctx"]),
    spec=changed(_GPT2_SPEC, {"norm": {"type": "rmsnorm", "eps": Key("layer_norm_epsilon")}}),
    last=LAST,
    names=_GPT2_NAMES,
    prefix="transformer.",
    unused=GPT2_UNUSED,
    heads={
        "ImageGPTForCausalImageModeling": Head(
            spec={"head": {"type": "language_model", "vocab_size": Row(_colours, lambda _: {})}},
            names={"head": "lm_head"},
            fixed={"tie_word_embeddings": False},
        ),
        "ImageGPTModel": Head(),
        "ImageGPTForImageClassification": Head(
            spec={
                "head": {
                    "type": "classifier",
                    "classes": Key("id2label", read=len),
                    "pool": "mean",
                    "dropout": 0,
                    "bias": False,
                }
            },
            names={"head.output": "score"},
        ),
    },
)

# -- GPT-NeoX (Black et al., 2022, arXiv:2204.06745), and Pythia


def _neox_rotary(values: Values) -> dict[str, Any]:
    older = {
        "rope_theta": values["rotary_emb_base"] or values["rope_theta"],
        "partial_rotary_factor": values.get("partial_rotary_factor", values["rotary_pct"]),
    }
    return Rotary(fraction=0.25)({**values, **older})


def _neox_rotary_back(said: Any) -> dict[str, Any]:
    rotary = next((part for part in said if part.type == "rotary"), None)
    if rotary is None:
        return {}
    return {"rotary_pct": float(rotary.fraction), "rotary_emb_base": float(rotary.theta)}


GPT_NEOX = Family(
    model_type="gpt_neox",
    defaults={
        "vocab_size": 50432,
        "hidden_size": 6144,
        "num_hidden_layers": 44,
        "num_attention_heads": 64,
        "intermediate_size": 24576,
        "hidden_act": "gelu",
        "attention_dropout": 0.0,
        "hidden_dropout": 0.0,
        "classifier_dropout": 0.1,
        "max_position_embeddings": 2048,
        "initializer_range": 0.02,
        "layer_norm_eps": 1e-5,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "tie_word_embeddings": False,
        "use_parallel_residual": True,
        "rope_theta": 10000.0,
        "attention_bias": True,
        "id2label": LABELS,
    },
    optional={**TOKEN_KEYS, "rotary_pct": float, "rotary_emb_base": float},
    spec={
        "family": "decoder-only",
        "vocab_size": Key("vocab_size"),
        "max_positions": Key("max_position_embeddings"),
        "d_model": Key("hidden_size"),
        "layers": Key("num_hidden_layers"),
        "dropout": Key("hidden_dropout"),
        "norm": {"eps": Key("layer_norm_eps")},
        "positions": Row(_neox_rotary, _neox_rotary_back),
        "residual": Only("use_parallel_residual", True, "parallel"),
        "attention": {
            "heads": Key("num_attention_heads"),
            "bias": Key("attention_bias"),
            "dropout": Key("attention_dropout"),
        },
        "feed_forward": {
            "hidden": Key("intermediate_size"),
            "activation": activation("hidden_act"),
        },
    },
    last=LAST,
    names={
        "token_embedding": "embed_in",
        "norm": "final_layer_norm",
        "layers.{}.attention_norm": "layers.{}.input_layernorm",
        "layers.{}.feed_forward_norm": "layers.{}.post_attention_layernorm",
        QKV: Layout("layers.{}.attention.query_key_value", groups=Key("num_attention_heads")),
        "layers.{}.attention.output": "layers.{}.attention.dense",
        "layers.{}.feed_forward.up": "layers.{}.mlp.dense_h_to_4h",
        "layers.{}.feed_forward.down": "layers.{}.mlp.dense_4h_to_h",
    },
    prefix="gpt_neox.",
    unused=(
        r"layers\.\d+\.attention\.(masked_)?bias",
        r"layers\.\d+\.attention\.rotary_emb\.inv_freq",
    ),
    heads=causal_heads("GPTNeoX", table="embed_in", output="embed_out"),
)

FAMILIES = (GPT2, IMAGEGPT, GPT_NEOX)
