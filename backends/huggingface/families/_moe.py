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
"""Keys that matter in training alone, where the load of the experts is balanced."""


def glu(hidden: Any) -> dict[str, Any]:
    """A gated feed-forward as wide as a key, or a function of the values, says."""
    width = hidden if callable(hidden) else Key(hidden)
    return {"type": "glu", "d_ff": width, "activation": activation("hidden_act")}


def mixture(
    hidden: str = "moe_intermediate_size",
    *,
    experts: str = "num_experts",
    top_k: str = "num_experts_per_tok",
    **more: Any,
) -> dict[str, Any]:
    """A mixture of gated feed-forwards, by the keys that say its sizes."""
    sizes = {"experts": Key(experts), "top_k": Key(top_k)}
    return {"type": "moe", **sizes, "expert": glu(hidden), **more}


def several(hidden: str, count: str) -> Read:
    """A shared expert as wide as some experts are together; none where the count is 0."""

    def read(values: Values) -> Any:
        width = values[hidden] * (values[count] or 0)
        return filled(glu(lambda _: width), values) if width else None

    return read


def sigmoid_router(values: Values) -> dict[str, Any]:
    """DeepSeek-V3's: experts are chosen by group, with a bias that their weights do not have."""
    said = {
        "score": "sigmoid",
        "normalize": values["norm_topk_prob"],
        "selection_bias": True,
        "scale": values["routed_scaling_factor"],
    }
    if (values["n_group"] or 1) > 1:
        groups = {"count": values["n_group"], "top_k": values["topk_group"]}
        said["groups"] = {**groups, "score": "top2_sum"}
    return said


def dense_and_sparse(
    values: Values,
    sparse: Sequence[bool],
    mixture: Mapping[str, Any],
    *,
    dense: Any = "intermediate_size",
    others: Sequence[Layer] | None = None,
    biased: Mapping[str, Any] = {},
) -> list[Layer]:
    """A block for the layers with one feed-forward and one for those with a mixture.

    sparse: which layers have a mixture
    dense: what says how wide the feed-forward of the others is
    others: in what else the layers differ; a block is named after both where both differ
    biased: what else is said of the feed-forward of the others
    """
    count = values["num_hidden_layers"]
    if len(sparse) != count:
        raise RefusedError(f"{len(sparse)} feed-forwards are named for {count} layers")
    others = others or [("", {})] * count
    differ = [len({kind for kind, _ in others}) > 1, len(set(sparse)) > 1]
    layers: list[Layer] = []
    for (kind, block), is_sparse in zip(others, sparse, strict=True):
        names = kind, "sparse" if is_sparse else "dense"
        name = "_".join(name for name, said in zip(names, differ, strict=True) if said)
        inner = filled(mixture if is_sparse else {**glu(dense), **biased}, values)
        layers.append((name, {**block, "feed_forward": inner}))
    return layers


def named_sparse(values: Values) -> list[bool]:
    """Which layers `mlp_layer_types` calls sparse."""
    said = values["mlp_layer_types"]
    unknown = sorted(set(said) - {"dense", "sparse"})
    if unknown:
        raise RefusedError(f"`mlp_layer_types` has {', '.join(map(str, unknown))}")
    return [kind == "sparse" for kind in said]


def sparse_after(first: int, values: Values) -> list[bool]:
    """All layers are sparse but the first ones."""
    return [index >= first for index in range(values["num_hidden_layers"])]


def predicted(values: Values) -> tuple[str, ...]:
    """Layers that predict later tokens stand after the model's own, which runs without them."""
    count, more = values["num_hidden_layers"], values["num_nextn_predict_layers"] or 0
    return (*UNUSED, *(rf"layers\.{count + index}\..*" for index in range(more)))


def separate(
    place: str, gate: str = "gate_proj", up: str = "up_proj", down: str = "down_proj"
) -> Names:
    """Experts whose tensors are separate."""
    parts = {"gate": gate, "up": up, "down": down}
    return {
        f"{PART}.experts.{ours}": Layout(f"layers.{{}}.{place}.{{e}}.{theirs}.weight")
        for ours, theirs in parts.items()
    }


def together(gate_up: str, down: str) -> Names:
    """Experts in two tensors: their gates and ups, one after the other, and their downs."""
    both = f"{PART}.experts.gate", f"{PART}.experts.up"
    return {
        both: Layout(f"layers.{{}}.{gate_up}", axis=1),
        f"{PART}.experts.down": f"layers.{{}}.{down}",
    }


def router(name: str = "mlp.gate") -> Names:
    """The linear layer that scores the experts."""
    return {f"{PART}.router": f"layers.{{}}.{name}"}


def shared(place: str) -> Names:
    """The expert that serves every token."""
    parts = ("gate", "up", "down")
    return {f"{PART}.shared_expert.{part}": f"layers.{{}}.{place}.{part}_proj" for part in parts}


def selection_bias(name: str = "mlp.gate.e_score_correction_bias") -> Names:
    """What is added to the scores where experts are chosen."""
    return {f"{PART}.selection_bias": f"layers.{{}}.{name}"}


EXPERTS: Names = {**router(), **separate("mlp.experts")}
"""As in Qwen and most others."""

SIGMOID_NAMES: Names = {**EXPERTS, **selection_bias(), **shared("mlp.shared_experts")}

PREDICTION_KEYS = (*UNUSED, r"mtp\..*", r"mtp_.*")

GROUP_KEYS = keys("n_group topk_group norm_topk_prob routed_scaling_factor")

GROUP_FIXED = {"scoring_func": "sigmoid", "topk_method": "noaux_tc", "moe_layer_freq": 1}

GROUP_ALIASES = {"num_local_experts": "n_routed_experts"}

SIGMOID_MIXTURE = mixture(
    experts="n_routed_experts",
    router=sigmoid_router,
    shared_expert=several("moe_intermediate_size", "n_shared_experts"),
)
