"""MiniMax (2025, arXiv:2501.08313): lightning attention in most layers, softmax in some."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..family import Names
from ..layers import Layer
from ..layouts import Layout
from ..values import Key, RefusedError, Values, filled
from .expert_rows import TRAINED, mixture, router, separate
from .llama import NAMES, ROTARY, SPEC, llama_like
from .rows import ALL_TASKS, causal_heads, head_dim, mask_of

_PLACE = "block_sparse_moe"
_LIGHTNING: dict[str, Any] = {
    "type": "linear",
    "heads": Key("num_attention_heads"),
    "head_dim": head_dim,
    "feature_map": "silu",
    "map_values": True,
    "normalize": False,
    "decay": "lightning",
    "output_norm": {"type": "rmsnorm", "eps": 1e-6},
    "output_gate": "elementwise",
}


def _residual(values: Values, kind: str) -> dict[str, Any]:
    """How a branch and the normed stream are weighed: alike in both branches of a layer."""
    factors = ("alpha_factor", "beta_factor")
    alpha, beta = (values[f"{kind}_{factor}"] for factor in factors)
    if [alpha, beta] != [values[f"mlp_{factor}"] for factor in factors]:
        raise RefusedError(
            f"`{kind}_alpha_factor` and `{kind}_beta_factor` must be those of `mlp`: the two "
            "branches of a layer are weighed alike"
        )
    return {"from": "normed", "stream_scale": alpha, "scale": beta}


def _kinds(values: Values) -> list[str]:
    if values["layer_types"] is not None:
        return list(values["layer_types"])
    usual = ("full_attention", "linear_attention")
    return [usual[layer % 2] for layer in range(values["num_hidden_layers"])]


def _layers(values: Values) -> list[Layer]:
    if values["hidden_act"] != "silu":
        raise RefusedError(f"`hidden_act: {values['hidden_act']}` is not supported yet, only silu")
    layers: list[Layer] = []
    for kind in _kinds(values):
        if kind == "linear_attention":
            attention = filled(_LIGHTNING, values)
            residual = _residual(values, "linear_attn")
            block = {"positions": "none", "attention": attention, "residual": residual}
            layers.append(("lightning", block))
            continue
        mask = mask_of("sliding_attention" if kind == "full_attention" else kind, values)
        block = {
            "mask": mask,
            "positions": filled(ROTARY, values),
            "attention": filled(SPEC["attention"], values),
            "residual": _residual(values, "full_attn"),
        }
        layers.append(("full", block))
    return layers


_NAMES: Names = {
    **NAMES,
    **router(f"{_PLACE}.gate"),
    **separate(f"{_PLACE}.experts", "w1", "w3", "w2"),
    "layers.{}.attention.output_norm": "layers.{}.self_attn.norm",
    "layers.{}.attention.output_gate": "layers.{}.self_attn.output_gate",
}


def _names(values: Values) -> Names:
    """The projections of a layer of lightning attention are one tensor, head by head."""
    rows: dict[Any, Any] = dict(_NAMES)
    for layer, kind in enumerate(_kinds(values)):
        if kind == "linear_attention":
            ours, theirs = f"layers.{layer}.attention", f"layers.{layer}.self_attn"
            qkv = tuple(f"{ours}.{part}.weight" for part in ("query", "key", "value"))
            rows[qkv] = Layout(f"{theirs}.qkv_proj.weight", groups=Key("num_attention_heads"))
            rows[f"{ours}.output"] = f"{theirs}.out_proj"
    return rows


MINIMAX = replace(
    llama_like(
        "minimax",
        "MiniMax",
        defaults={
            "intermediate_size": 14336,
            "num_key_value_heads": 8,
            "max_position_embeddings": 4096 * 32,
            "rms_norm_eps": 1e-5,
            "rope_theta": 1e6,
            "num_local_experts": 8,
            "num_experts_per_tok": 2,
            **{
                f"{part}_{factor}_factor": 1.0
                for part in ("full_attn", "linear_attn", "mlp")
                for factor in ("alpha", "beta")
            },
        },
        optional={"sliding_window": int, "layer_types": list},
        aliases={"num_experts": "num_local_experts"},
        irrelevant=TRAINED | {"block_size", "attn_type_list"},
        spec={
            "positions": None,
            "attention": None,
            "feed_forward": mixture("intermediate_size", experts="num_local_experts"),
        },
        layers=_layers,
        unused=(r"layers\.\d+\.self_attn\.(slope_rate|(query|key|diagonal)_decay)",),
        heads=causal_heads("MiniMax", tasks=ALL_TASKS, answers="model."),
    ),
    names=_names,
)

FAMILIES = (MINIMAX,)
