"""Falcon (Almazrouei et al., 2023, arXiv:2311.16867): 7B, 40B, 11B and RefinedWeb (RW)."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..family import Family, Names
from ..layouts import Layout
from ..rotary import Rotary
from ..values import IfSet, Key, Multiple, RefusedError, Values, activation
from ._rows import LAST, QKV, TOKEN_KEYS, causal_heads, longest
from ._tasks import scored


def _kv_heads(values: Values) -> int | None:
    if values["new_decoder_architecture"]:
        return values["num_kv_heads"] or None
    return 1 if values["multi_query"] else None


def _two_norms(values: Values) -> bool:
    return bool(values["new_decoder_architecture"] and values["num_ln_in_parallel_attn"] != 1)


def _residual(values: Values) -> Any:
    if values["new_decoder_architecture"] and not values["parallel_attn"]:
        raise RefusedError("`new_decoder_architecture` without `parallel_attn` is not supported")
    if not values["parallel_attn"]:
        return None
    return {"type": "parallel", "shared_norm": not _two_norms(values)}


def _names(values: Values) -> Names:
    """Tensor names; query, key and value are fused by head or by group of heads."""
    groups = None if values["multi_query"] else values["num_attention_heads"]
    if values["new_decoder_architecture"]:
        groups = values["num_kv_heads"] or values["num_attention_heads"]
    norms = {
        "layers.{}.norm": "h.{}.input_layernorm",
        "layers.{}.attention_norm": "h.{}.input_layernorm",
        "layers.{}.feed_forward_norm": "h.{}.post_attention_layernorm",
    }
    if _two_norms(values):
        norms = {
            "layers.{}.attention_norm": "h.{}.ln_attn",
            "layers.{}.feed_forward_norm": "h.{}.ln_mlp",
        }
    return {
        "token_embedding": "word_embeddings",
        "norm": "ln_f",
        **norms,
        QKV: Layout("h.{}.self_attention.query_key_value", groups=groups),
        "layers.{}.attention.output": "h.{}.self_attention.dense",
        "layers.{}.feed_forward.up": "h.{}.mlp.dense_h_to_4h",
        "layers.{}.feed_forward.down": "h.{}.mlp.dense_4h_to_h",
    }


FALCON = Family(
    model_type="falcon",
    reads=keys(
        "vocab_size hidden_size num_hidden_layers num_attention_heads activation",
        "layer_norm_epsilon initializer_range hidden_dropout attention_dropout",
        "max_position_embeddings alibi bias multi_query new_decoder_architecture",
        "parallel_attn rope_theta bos_token_id eos_token_id tie_word_embeddings id2label",
    ),
    optional={
        **TOKEN_KEYS,
        "ffn_hidden_size": int,
        "num_kv_heads": int,
        "num_ln_in_parallel_attn": int,
    },
    aliases={"n_embed": "hidden_size"},
    fixed={"apply_residual_connection_post_layernorm": False},
    irrelevant=frozenset(["ff_factor", "head_dim", "rotary"]),
    spec={
        "family": "decoder-only",
        "vocab_size": Key("vocab_size"),
        "max_positions": longest,
        "d_model": Key("hidden_size"),
        "layers": Key("num_hidden_layers"),
        "dropout": Key("hidden_dropout"),
        "bias": Key("bias"),
        "norm": {"eps": Key("layer_norm_epsilon")},
        "residual": _residual,
        "input": {"dropout": 0},
        "positions": IfSet("alibi", {"type": "alibi", "before_scale": True}, Rotary()),
        "attention": {
            "heads": Key("num_attention_heads"),
            "kv_heads": _kv_heads,
            "dropout": Key("attention_dropout"),
        },
        "feed_forward": {
            "d_ff": Multiple("ffn_hidden_size"),
            "activation": activation("activation"),
        },
    },
    last=LAST,
    names=_names,
    prefix="transformer.",
    unused=(r"h\.\d+\.self_attention\.rotary_emb\.inv_freq",),
    heads={
        **causal_heads(
            "Falcon", table="word_embeddings", tasks=("SequenceClassification", "QuestionAnswering")
        ),
        "FalconForTokenClassification": scored(dropout=0.1),
    },
    note=lambda values: (
        "ALiBi is exact here; the library rounds slopes and products to bfloat16"
        if values["alibi"]
        else ""
    ),
)

FAMILIES = (FALCON,)
