"""Rows shared by mixtures of experts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..defaults import keys
from ..family import Names
from ..layers import Layer
from ..layouts import Layout
from ..values import Key, Read, RefusedError, Values, activation, filled
from ._llama_like import UNUSED

PART = "layers.{}.feed_forward"

TRAINED = frozenset(
    [
        "aux_loss_alpha",
        "ep_size",
        "output_router_logits",
        "router_aux_loss_coef",
        "router_jitter_noise",
        "router_z_loss_coef",
        "seq_aux",
    ]
)
"""Keys that only affect training (load balancing of the experts)."""


def glu(hidden: Any) -> dict[str, Any]:
    """A gated feed-forward; `hidden` is the key of its inner width, or a function of the values."""
    width = hidden if callable(hidden) else Key(hidden)
    return {"type": "glu", "d_ff": width, "activation": activation("hidden_act")}


def mixture(
    hidden: str = "moe_intermediate_size",
    *,
    experts: str = "num_experts",
    top_k: str = "num_experts_per_tok",
    **more: Any,
) -> dict[str, Any]:
    """A mixture of gated feed-forwards; the arguments are the keys of its sizes."""
    sizes = {"experts": Key(experts), "top_k": Key(top_k)}
    return {"type": "moe", **sizes, "expert": glu(hidden), **more}


def wide_shared(hidden: str, count: str) -> Read:
    """A shared expert with the width of `count` experts; None if the count is 0."""

    def read(values: Values) -> Any:
        width = values[hidden] * (values[count] or 0)
        return filled(glu(lambda _: width), values) if width else None

    return read


def sigmoid_router(values: Values) -> dict[str, Any]:
    """DeepSeek-V3's router: sigmoid scores, groups, and a bias that affects the choice only."""
    options = {
        "score": "sigmoid",
        "normalize": values["norm_topk_prob"],
        "selection_bias": True,
        "scale": values["routed_scaling_factor"],
    }
    if (values["n_group"] or 1) > 1 and (groups := chosen_groups(values)):
        options["groups"] = {**groups, "score": "top2_sum"}
    return options


def chosen_groups(values: Values) -> dict[str, Any] | None:
    """The groups of which some are chosen; None if all are, which changes nothing."""
    count, chosen = values["n_group"], values["topk_group"]
    return None if count and chosen == count else {"count": count, "top_k": chosen}


def dense_and_sparse(
    values: Values,
    sparse: Sequence[bool],
    mixture: Mapping[str, Any],
    *,
    dense: Any = "intermediate_size",
    others: Sequence[Layer] | None = None,
    biased: Mapping[str, Any] = {},
) -> list[Layer]:
    """The blocks of a model in which some layers have experts and the others do not.

    sparse: for each layer, whether it has experts
    dense: key of the inner width of the other layers, or a function of the values
    others: name and options of each layer's block apart from the feed-forward; if both differ,
        block names are joined
    biased: further options of the feed-forward of the dense layers
    """
    count = values["num_hidden_layers"]
    if len(sparse) != count:
        raise RefusedError(f"{len(sparse)} feed-forwards are named for {count} layers")
    others = others or [("", {})] * count
    differ = [len({kind for kind, _ in others}) > 1, len(set(sparse)) > 1]
    layers: list[Layer] = []
    for (kind, block), is_sparse in zip(others, sparse, strict=True):
        names = kind, "sparse" if is_sparse else "dense"
        name = "_".join(name for name, differs in zip(names, differ, strict=True) if differs)
        inner = filled(mixture if is_sparse else {**glu(dense), **biased}, values)
        layers.append((name, {**block, "feed_forward": inner}))
    return layers


def named_sparse(values: Values) -> list[bool]:
    """Whether each layer is sparse, by `mlp_layer_types`."""
    types = values["mlp_layer_types"]
    unknown = sorted(set(types) - {"dense", "sparse"})
    if unknown:
        raise RefusedError(f"`mlp_layer_types` has {', '.join(map(str, unknown))}")
    return [kind == "sparse" for kind in types]


def sparse_after(first: int, values: Values) -> list[bool]:
    """All layers but the first `first` are sparse."""
    return [index >= first for index in range(values["num_hidden_layers"])]


def skipped_tensors(values: Values) -> tuple[str, ...]:
    """Tensors to skip, including multi-token prediction layers, which follow the model's own."""
    count, more = values["num_hidden_layers"], values["num_nextn_predict_layers"] or 0
    return (*UNUSED, *(rf"layers\.{count + index}\..*" for index in range(more)))


def separate_experts(
    place: str, gate: str = "gate_proj", up: str = "up_proj", down: str = "down_proj"
) -> Names:
    """Experts with separate tensors."""
    parts = {"gate": gate, "up": up, "down": down}
    return {
        f"{PART}.experts.{ours}": Layout(f"layers.{{}}.{place}.{{e}}.{theirs}.weight")
        for ours, theirs in parts.items()
    }


def fused_experts(gate_up: str, down: str) -> Names:
    """Experts in two tensors: gate and up, concatenated, and down."""
    both = f"{PART}.experts.gate", f"{PART}.experts.up"
    return {
        both: Layout(f"layers.{{}}.{gate_up}", axis=1),
        f"{PART}.experts.down": f"layers.{{}}.{down}",
    }


def router(name: str = "mlp.gate") -> Names:
    """The linear layer that scores the experts."""
    return {f"{PART}.router": f"layers.{{}}.{name}"}


def shared(place: str) -> Names:
    """The shared expert."""
    parts = ("gate", "up", "down")
    return {f"{PART}.shared_expert.{part}": f"layers.{{}}.{place}.{part}_proj" for part in parts}


def selection_bias(name: str = "mlp.gate.e_score_correction_bias") -> Names:
    """The bias that is added to the scores when experts are chosen."""
    return {f"{PART}.selection_bias": f"layers.{{}}.{name}"}


EXPERTS: Names = {**router(), **separate_experts("mlp.experts")}
"""Names of Qwen and most other models."""

SIGMOID_NAMES: Names = {**EXPERTS, **selection_bias(), **shared("mlp.shared_experts")}

PREDICTION_KEYS = (*UNUSED, r"mtp\..*", r"mtp_.*")

GROUP_KEYS = keys("n_group topk_group norm_topk_prob routed_scaling_factor")

GROUP_FIXED = {"scoring_func": "sigmoid", "topk_method": "noaux_tc", "moe_layer_freq": 1}

GROUP_ALIASES = {"num_local_experts": "n_routed_experts"}

SIGMOID_MIXTURE = mixture(
    experts="n_routed_experts",
    router=sigmoid_router,
    shared_expert=wide_shared("moe_intermediate_size", "n_shared_experts"),
)
