"""ERNIE 4.5 with experts (Baidu, 2025)."""

from __future__ import annotations

from ..defaults import keys
from ..layers import Layer
from ..layouts import Layout
from ..rotary import Rotary
from ..values import Key, Values
from ._llama_like import llama_like
from ._moe import (
    EXPERTS,
    PART,
    PREDICTION_KEYS,
    TRAINED,
    dense_and_sparse,
    mixture,
    shared,
    wide_shared,
)
from ._rows import causal_heads

_ERNIE_MIXTURE = mixture(
    experts="moe_num_experts",
    top_k="moe_k",
    router={"selection_bias": True},
    shared_expert=wide_shared("moe_intermediate_size", "moe_num_shared_experts"),
)


def _ernie_layers(values: Values) -> list[Layer]:
    """Every `moe_layer_interval`-th layer between the start and end index is sparse."""
    count, step = values["num_hidden_layers"], values["moe_layer_interval"]
    first, last = values["moe_layer_start_index"], values["moe_layer_end_index"]
    last = count - 1 if last == -1 else last
    sparse = [(i + 1) % step == 0 and first <= i <= last for i in range(count)]
    biased = {"bias": values["use_bias"]}
    shared_expert = wide_shared("moe_intermediate_size", "moe_num_shared_experts")(values)
    mixed = {**_ERNIE_MIXTURE, "shared_expert": shared_expert and {**shared_expert, **biased}}
    return dense_and_sparse(values, sparse, mixed, biased=biased)


ERNIE4_5_MOE = llama_like(
    "ernie4_5_moe",
    "Ernie4_5_Moe",
    reads=keys(
        "num_key_value_heads pad_token_id use_bias moe_intermediate_size moe_k",
        "moe_num_experts moe_num_shared_experts moe_layer_start_index moe_layer_end_index",
        "moe_layer_interval",
    ),
    own_defaults={"attention_dropout": 0.0},
    fixed={"moe_gate": "topk"},
    aliases={"num_experts": "moe_num_experts", "num_experts_per_tok": "moe_k"},
    irrelevant=TRAINED
    | {"moe_capacity", "moe_norm_min", "moe_use_aux_free", "num_nextn_predict_layers"},
    spec={
        "positions": Rotary(interleaved=True),
        "attention": {"bias": Key("use_bias")},
        "feed_forward": None,
    },
    layers=_ernie_layers,
    names={
        **EXPERTS,
        f"{PART}.selection_bias": Layout(
            "layers.{}.mlp.moe_statics.e_score_correction_bias", stored=lambda _: (1, -1)
        ),
        **shared("mlp.shared_experts"),
    },
    unused=PREDICTION_KEYS,
    heads=causal_heads(
        "Ernie4_5_Moe",
        spec={
            "head": {
                "type": "language_model",
                "tied": Key("tie_word_embeddings"),
                "bias": Key("use_bias"),
            }
        },
        tasks=(),
    ),
)

FAMILIES = (ERNIE4_5_MOE,)
