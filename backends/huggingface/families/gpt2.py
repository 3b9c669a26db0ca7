"""GPT-2 (Radford et al., 2019)."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..family import Family, Head, Names
from ..layouts import Layout
from ..values import Key, RefusedError, Values, activation
from ._rows import LAST, QKV, TOKEN_KEYS, causal_heads
from ._tasks import answers, scored

GPT2_NAMES: Names = {
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

GPT2_KEYS = keys(
    "vocab_size n_positions n_embd n_layer n_head activation_function resid_pdrop",
    "embd_pdrop attn_pdrop layer_norm_epsilon initializer_range bos_token_id eos_token_id",
    "tie_word_embeddings scale_attn_weights scale_attn_by_inverse_layer_idx id2label",
)


def _scale(values: Values) -> str | None:
    """The attention scale: default, `none`, or `by_layer`."""
    if not values["scale_attn_by_inverse_layer_idx"]:
        return None if values["scale_attn_weights"] else "none"
    if not values["scale_attn_weights"]:
        raise RefusedError("`scale_attn_by_inverse_layer_idx` alone is not supported")
    return "by_layer"


GPT2_SPEC: dict[str, Any] = {
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
    "feed_forward": {"d_ff": Key("n_inner"), "activation": activation("activation_function")},
}

_SUMMARY = frozenset(
    [
        "apply_query_key_layer_scaling",
        "n_ctx",
        "normalize_attention_scores",
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
    reads=GPT2_KEYS,
    optional={**TOKEN_KEYS, "n_inner": int},
    irrelevant=_SUMMARY,
    spec=GPT2_SPEC,
    last=LAST,
    names=GPT2_NAMES,
    prefix="transformer.",
    unused=GPT2_UNUSED,
    heads={
        "GPT2LMHeadModel": causal_heads("GPT2", table="wte")["GPT2ForCausalLM"],
        "GPT2Model": Head(),
        "GPT2ForTokenClassification": scored(dropout=0.1),
        **answers("GPT2"),
        "GPT2ForSequenceClassification": causal_heads("GPT2")["GPT2ForSequenceClassification"],
    },
)

FAMILIES = (GPT2,)
