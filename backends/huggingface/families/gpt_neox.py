"""GPT-NeoX (Black et al., 2022, arXiv:2204.06745) and Pythia."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..family import Family
from ..layouts import Layout
from ..rotary import Rotary
from ..values import Key, Only, RefusedError, Row, Values, activation
from ._rows import LAST, QKV, TOKEN_KEYS, causal_heads, longest
from ._tasks import answers, scored


def older_rotary(values: Values, fraction: float) -> Values:
    """Rotary parameters of a config with `rotary_emb_base` and `rotary_pct`.

    Outside of `rope_parameters`, the library ignores the newer names of these keys. They raise an
    error unless they have the same values.
    """
    theta, part = values["rotary_emb_base"] or 10000.0, values["rotary_pct"] or fraction
    if values["rope_theta"] not in (10000.0, theta):
        raise RefusedError("put `rope_theta` into `rope_parameters`, or use `rotary_emb_base`")
    if values.get("partial_rotary_factor") not in (None, part):
        raise RefusedError(
            "put `partial_rotary_factor` into `rope_parameters`, or use `rotary_pct`"
        )
    return {**values, "rope_theta": theta, "partial_rotary_factor": part}


def _neox_rotary(values: Values) -> dict[str, Any]:
    return Rotary(fraction=0.25)(older_rotary(values, 0.25))


def _neox_rotary_back(positions: Any) -> dict[str, Any]:
    rotary = next((part for part in positions if part.type == "rotary"), None)
    if rotary is None:
        return {}
    return {"rotary_pct": float(rotary.fraction), "rotary_emb_base": float(rotary.theta)}


GPT_NEOX = Family(
    model_type="gpt_neox",
    reads=keys(
        "vocab_size hidden_size num_hidden_layers num_attention_heads intermediate_size",
        "hidden_act attention_dropout hidden_dropout classifier_dropout",
        "max_position_embeddings initializer_range layer_norm_eps bos_token_id eos_token_id",
        "tie_word_embeddings use_parallel_residual rope_theta attention_bias id2label",
    ),
    irrelevant=frozenset(["attention_probs_dropout_prob", "hidden_dropout_prob", "num_steps"]),
    optional={**TOKEN_KEYS, "rotary_pct": float, "rotary_emb_base": float},
    spec={
        "family": "decoder-only",
        "vocab_size": Key("vocab_size"),
        "max_positions": longest,
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
            "d_ff": Key("intermediate_size"),
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
    heads={
        **causal_heads("GPTNeoX", table="embed_in", output="embed_out"),
        "GPTNeoXForTokenClassification": scored(),
        **answers("GPTNeoX"),
    },
)

FAMILIES = (GPT_NEOX,)
