"""K-EXAONE (LG AI Research, 2026)."""

from __future__ import annotations

from ..defaults import keys
from ..layers import Layer
from ..rotary import Rotary
from ..values import Values
from ._llama_like import QK_NORMS, llama_like
from ._moe import (
    GROUP_KEYS,
    PREDICTION_KEYS,
    SIGMOID_NAMES,
    TRAINED,
    dense_and_sparse,
    mixture,
    named_sparse,
    selection_bias,
    sigmoid_router,
    sparse_after,
    wide_shared,
)
from ._rows import causal_heads, every, local_and_global

_EXAONE_MIXTURE = mixture(
    router=sigmoid_router, shared_expert=wide_shared("moe_intermediate_size", "num_shared_experts")
)


def _exaone_layers(values: Values) -> list[Layer]:
    """If some layers have a window, the full layers have no positions."""
    if values["sliding_window"] is None:
        others = local_and_global(
            {**values, "layer_types": None}, **{"global": {"positions": Rotary()}}
        )
    else:
        others = local_and_global(
            every(values, values["sliding_window_pattern"]), local={"positions": Rotary()}
        )
    first = values["first_k_dense_replace"]
    named = values["mlp_layer_types"] is not None
    sparse = named_sparse(values) if named else sparse_after(first, values)
    return dense_and_sparse(values, sparse, _EXAONE_MIXTURE, others=others)


EXAONE_MOE = llama_like(
    "exaone_moe",
    "ExaoneMoe",
    reads=keys(
        GROUP_KEYS,
        "pad_token_id sliding_window sliding_window_pattern first_k_dense_replace",
        "moe_intermediate_size num_experts num_experts_per_tok num_shared_experts",
    ),
    optional={"layer_types": list, "mlp_layer_types": list, "sliding_window": int},
    fixed={"scoring_func": "sigmoid", "topk_method": "noaux_tc"},
    irrelevant=TRAINED | {"num_nextn_predict_layers"},
    spec={"positions": None, "attention": {"qk_norm": "head"}, "feed_forward": None},
    layers=_exaone_layers,
    names={**SIGMOID_NAMES, **QK_NORMS, **selection_bias("mlp.e_score_correction_bias")},
    unused=PREDICTION_KEYS,
    heads=causal_heads("ExaoneMoe", tasks=()),
)

FAMILIES = (EXAONE_MOE,)
