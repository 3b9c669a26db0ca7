"""MiniMax-01 (MiniMax, 2025, arXiv:2501.08313): most layers have Lightning attention."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ....spec.attention import LinearAttention
from ....spec.canonical_masks import canonical
from ....spec.part import Nothing
from ..defaults import keys
from ..family import Names
from ..layers import Layer
from ..layouts import Layout
from ..values import Key, OtherFamilyError, RefusedError, Values, filled
from ._llama_like import NAMES, ROTARY, SPEC, llama_like
from ._moe import TRAINED, mixture, router, separate_experts
from ._rows import ALL_TASKS, causal_heads, head_dim, mask_of

if TYPE_CHECKING:
    from torch import Tensor

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
    """Factors of a branch and of its normed input; both branches must have the same."""
    factors = ("alpha_factor", "beta_factor")
    alpha, beta = (values[f"{kind}_{factor}"] for factor in factors)
    if [alpha, beta] != [values[f"mlp_{factor}"] for factor in factors]:
        raise RefusedError(
            f"`{kind}_alpha_factor` and `{kind}_beta_factor` must equal `mlp_alpha_factor` and "
            "`mlp_beta_factor`"
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


def _rotated(block: Any) -> bool:
    return bool(block.positions) and block.positions[0].type == "rotary"


def _back(spec: Any) -> dict[str, Any]:
    """Config keys from a spec: layer types, attention and residual factors."""
    (stack,) = spec.stacks.values()
    config: dict[str, Any] = {"layer_types": [], "sliding_window": None}
    for block in (stack.blocks[kind] for kind in stack.order):
        lightning = isinstance(block.attention, LinearAttention)
        if not lightning and (block.attention.type != "mha" or not _rotated(block)):
            raise OtherFamilyError("a layer has neither lightning nor rotary attention")
        if isinstance(block.residual, Nothing):
            raise OtherFamilyError("a layer has no residual connections")
        weighed = {"alpha": block.residual.stream_scale, "beta": block.residual.scale}
        for part in ("linear_attn" if lightning else "full_attn", "mlp"):
            config |= {f"{part}_{name}_factor": float(value) for name, value in weighed.items()}
        config["layer_types"].append("linear_attention" if lightning else "full_attention")
        heads = block.attention.heads
        config |= {
            "num_attention_heads": heads,
            "head_dim": block.attention.head_dim or stack.d_model // heads,
        }
        if not lightning:
            config["num_key_value_heads"] = block.attention.kv_heads or heads
            config["rope_theta"] = float(block.positions[0].theta)
            inside = str(canonical(block.mask)).partition("window(")[2].partition(")")[0]
            config["sliding_window"] = int(inside) if inside else None
    return config


_NAMES: Names = {
    **NAMES,
    **router(f"{_PLACE}.gate"),
    **separate_experts(f"{_PLACE}.experts", "w1", "w3", "w2"),
    "layers.{}.attention.output_norm": "layers.{}.self_attn.norm",
    "layers.{}.attention.output_gate": "layers.{}.self_attn.output_gate",
}


def _names(values: Values) -> Names:
    """Tensor names; lightning attention has one fused projection, grouped by head."""
    rows: dict[Any, Any] = dict(_NAMES)
    for layer, kind in enumerate(_kinds(values)):
        if kind == "linear_attention":
            ours, theirs = f"layers.{layer}.attention", f"layers.{layer}.self_attn"
            qkv = tuple(f"{ours}.{part}.weight" for part in ("query", "key", "value"))
            rows[qkv] = Layout(f"{theirs}.qkv_proj.weight", groups=Key("num_attention_heads"))
            rows[f"{ours}.output"] = f"{theirs}.out_proj"
    return rows


_BLOCK = 256
"""The library's block size of lightning attention, in tokens."""


def _derived(values: Values) -> dict[str, Tensor]:
    """Decay tensors that the library stores: e^(-rate · distance) within a block."""
    import torch

    heads, layers = values["num_attention_heads"], values["num_hidden_layers"]
    usual = 2.0 ** (-8 * torch.arange(1, heads + 1) / heads)
    place = torch.arange(1, _BLOCK + 1)
    apart = place[:, None] - place
    tensors: dict[str, Tensor] = {}
    for layer, kind in enumerate(_kinds(values)):
        if kind != "linear_attention":
            continue
        rate = (usual * (1 - layer / (layers - 1 + 1e-5) + 1e-5))[:, None, None]
        decays = {
            "slope_rate": rate,  # (H, 1, 1)
            "query_decay": torch.exp(-rate * place[:, None]),  # (H, block, 1)
            "key_decay": torch.exp(-rate * (_BLOCK - place[:, None])),  # (H, block, 1)
            "diagonal_decay": torch.exp(-rate * apart).where(apart >= 0, 0)[None],
        }
        tensors |= {f"layers.{layer}.self_attn.{name}": x for name, x in decays.items()}
    return tensors


MINIMAX = replace(
    llama_like(
        "minimax",
        "MiniMax",
        reads=keys(
            "num_key_value_heads num_local_experts num_experts_per_tok full_attn_alpha_factor",
            "full_attn_beta_factor linear_attn_alpha_factor linear_attn_beta_factor",
            "mlp_alpha_factor mlp_beta_factor",
        ),
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
    derived=_derived,
    back=_back,
)

FAMILIES = (MINIMAX,)
