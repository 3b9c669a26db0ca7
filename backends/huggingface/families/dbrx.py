"""DBRX (Databricks, 2024); its config has nested parts for attention and experts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..defaults import keys
from ..family import Family
from ..irrelevant import IRRELEVANT_INSIDE
from ..layouts import Layout
from ..rotary import Rotary
from ..values import ACTIVATIONS, Key, RefusedError, Values
from ._moe import PART, TRAINED
from ._rows import LAST, QKV, TOKEN_KEYS, causal_heads

_ATTENTION: dict[str, Any] = {
    "attn_pdrop": 0.0,
    "clip_qkv": None,
    "kv_n_heads": 1,
    "rope_theta": None,
}

_EXPERTS: dict[str, Any] = {
    "ffn_act_fn": None,
    "ffn_hidden_size": 3584,
    "moe_num_experts": 4,
    "moe_top_k": 1,
    "moe_normalize_expert_weights": 1.0,
}


def _part(values: Values, name: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
    part = values[name] or {}
    for key in part:
        if key not in defaults and key not in IRRELEVANT_INSIDE:
            raise RefusedError(f"`{name}: {key}` is not a known option of dbrx")
    return {**defaults, **{key: value for key, value in part.items() if key in defaults}}


def _attention(values: Values) -> dict[str, Any]:
    part = _part(values, "attn_config", _ATTENTION)
    heads = values["n_heads"]
    return {
        "heads": heads,
        "kv_heads": None if part["kv_n_heads"] == heads else part["kv_n_heads"],
        "clip_qkv": "none" if part["clip_qkv"] is None else part["clip_qkv"],
        "dropout": part["attn_pdrop"],
    }


def _mixture(values: Values) -> dict[str, Any]:
    part = _part(values, "ffn_config", _EXPERTS)
    norm = part["moe_normalize_expert_weights"]
    if norm not in (None, 1):
        raise RefusedError(f"`moe_normalize_expert_weights: {norm}` is not supported yet")
    name = (part["ffn_act_fn"] or {"name": "silu"}).get("name", "silu")
    if name not in ACTIVATIONS:
        raise RefusedError(f"`ffn_act_fn: {name}` is not supported yet")
    return {
        "type": "moe",
        "experts": part["moe_num_experts"],
        "top_k": part["moe_top_k"],
        "expert": {
            "type": "glu",
            "d_ff": part["ffn_hidden_size"],
            "activation": ACTIVATIONS[name],
        },
        "router": {"normalize": norm is not None},
    }


def _rotary(values: Values) -> dict[str, Any]:
    """Rotary positions.

    Files of DBRX's own code have theta inside `attn_config`, where the library does not read it.
    """
    inner = _part(values, "attn_config", _ATTENTION)["rope_theta"]
    theta = Rotary().parameters(values).get("rope_theta", values["rope_theta"])
    if inner is not None and inner != theta:
        raise RefusedError(
            f"`attn_config: {{rope_theta: {inner}}}` is ignored by the library, which computes "
            f"with {theta}; write the right one as `rope_theta` beside `attn_config`"
        )
    return Rotary()(values)


def _rows_of_all(values: Values) -> tuple[int, ...]:
    """Shape of the tensor that concatenates the experts of a layer: (experts * d_ff, d_model)."""
    return (-1, values["d_model"])


DBRX = Family(
    model_type="dbrx",
    reads=keys(
        "d_model n_heads n_layers max_seq_len vocab_size resid_pdrop",
        "initializer_range tie_word_embeddings bos_token_id eos_token_id rope_theta",
    ),
    optional={**TOKEN_KEYS, "attn_config": dict, "ffn_config": dict},
    irrelevant=TRAINED | {"num_key_value_heads", "init_config", "emb_pdrop"},
    spec={
        "family": "decoder-only",
        "vocab_size": Key("vocab_size"),
        "max_positions": Key("max_seq_len"),
        "d_model": Key("d_model"),
        "layers": Key("n_layers"),
        "dropout": Key("resid_pdrop"),
        "bias": False,
        "norm": {"bias": False},
        "input": {"dropout": 0},
        "positions": _rotary,
        "attention": _attention,
        "feed_forward": _mixture,
    },
    last=LAST,
    names={
        "token_embedding": "wte",
        "norm": "norm_f",
        "layers.{}.attention_norm": "blocks.{}.norm_attn_norm.norm_1",
        QKV: Layout("blocks.{}.norm_attn_norm.attn.Wqkv"),
        "layers.{}.attention.output": "blocks.{}.norm_attn_norm.attn.out_proj",
        "layers.{}.feed_forward_norm": "blocks.{}.norm_attn_norm.norm_2",
        f"{PART}.router": "blocks.{}.ffn.router.layer",
        f"{PART}.experts.gate": Layout("blocks.{}.ffn.experts.mlp.w1", stored=_rows_of_all),
        f"{PART}.experts.up": Layout("blocks.{}.ffn.experts.mlp.v1", stored=_rows_of_all),
        f"{PART}.experts.down": Layout(
            "blocks.{}.ffn.experts.mlp.w2", stored=_rows_of_all, transposed=True
        ),
    },
    prefix="transformer.",
    heads=causal_heads("Dbrx", table="wte", tasks=()),
)

FAMILIES = (DBRX,)
