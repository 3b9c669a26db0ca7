"""OPT (Zhang et al., 2022, arXiv:2205.01068)."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..family import Family, Names
from ..values import IfSet, Key, Only, Values, activation
from ._rows import TOKEN_KEYS, TOKENS, causal_heads

NAMES: Names = {
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

LAST = {"init": {"type": "normal", "std": Key("init_std")}, "tokens": TOKENS}

COUNTED = {"type": "learned", "offset": 2, "skip_padding": "mask"}


def _width(values: Values) -> int | None:
    """Width of the token embedding, if it differs from d_model (OPT-350m)."""
    width: int = values["word_embed_proj_dim"] or values["hidden_size"]
    return None if width == values["hidden_size"] else width


def _no_final_norm(values: Values) -> bool | None:
    removed = values["do_layer_norm_before"] and values["_remove_final_layer_norm"]
    return False if removed else None


_OPT_NAMES: Names = {
    **{ours: f"decoder.{theirs}" for ours, theirs in NAMES.items()},
    "norm": "decoder.final_layer_norm",
    "embedding_projection": "decoder.project_in",
    "output_projection": "decoder.project_out",
}

OPT = Family(
    model_type="opt",
    reads=keys(
        "vocab_size hidden_size num_hidden_layers num_attention_heads ffn_dim",
        "activation_function max_position_embeddings do_layer_norm_before",
        "_remove_final_layer_norm enable_bias layer_norm_elementwise_affine dropout",
        "attention_dropout init_std pad_token_id bos_token_id eos_token_id",
        "tie_word_embeddings id2label",
    ),
    optional={**TOKEN_KEYS, "word_embed_proj_dim": int},
    fixed={"learned_embeddings": True, "scale_embeddings": False},  # of Galactica
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
        "positions": COUNTED,
        "attention": {
            "heads": Key("num_attention_heads"),
            "bias": Key("enable_bias"),
            "dropout": Key("attention_dropout"),
        },
        "feed_forward": {"d_ff": Key("ffn_dim"), "bias": Key("enable_bias")},
    },
    last=LAST,
    names=_OPT_NAMES,
    prefix="model.",
    heads=causal_heads(
        "OPT",
        table="decoder.embed_tokens",
        tasks=("SequenceClassification", "QuestionAnswering"),
        answers="model.",
    ),
)

XGLM_SPEC: dict[str, Any] = {
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
    "feed_forward": {"d_ff": Key("ffn_dim"), "hidden_dropout": Key("activation_dropout")},
}

FAMILIES = (OPT,)
