"""DeBERTa (He et al., 2020, arXiv:2006.03654), versions 2 and 3 (2021, arXiv:2111.09543)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..defaults import keys
from ..family import Family, Head
from ..layouts import Layout
from ..values import Key, RefusedError, Values, activation
from ._bert_like import bert_like, masked_head, token_heads
from ._tasks import choices, pooled

_TERMS = {"c2p": "content_to_position", "p2c": "position_to_content"}


def _disentangled(values: Values) -> dict[str, Any]:
    terms = values["pos_att_type"] or []
    types = terms.split("|") if isinstance(terms, str) else terms
    if not types or any(each.strip().lower() not in _TERMS for each in types):
        raise RefusedError(f"`pos_att_type: {terms}` is not supported yet, only c2p and p2c")
    names = {_TERMS[each.strip().lower()] for each in types}
    longest = values["max_relative_positions"]
    buckets = values.get("position_buckets", -1)
    return {
        "type": "disentangled",
        "terms": [term for term in _TERMS.values() if term in names],
        "buckets": buckets if buckets > 0 else "none",
        "max_distance": longest if longest >= 1 else values["max_position_embeddings"],
        "share_projections": values.get("share_att_key", False),
        "normalize": "layer_norm" in values.get("norm_rel_ebd", "none"),
    }


def _deberta_positions(values: Values) -> Any:
    """Learned positions, relative ones, both, or none."""
    found: list[Any] = ["learned"] if values["position_biased_input"] else []
    if values["relative_attention"]:
        found.append(_disentangled(values))
    return found[0] if len(found) == 1 else found or "none"


def _scale(values: Values) -> float | None:
    """The library scales by the terms in `pos_att_type` even without relative attention."""
    terms = values["pos_att_type"] or []
    width = values["hidden_size"] // values["num_attention_heads"]
    if (own := values.get("attention_head_size") or width) != width:
        raise RefusedError(
            f"`attention_head_size: {own}` must be hidden_size / num_attention_heads, {width}"
        )
    if values["relative_attention"] or not terms:
        return None
    count = 1 + len(terms.split("|") if isinstance(terms, str) else terms)
    return float((count * width) ** -0.5)


def _types(values: Values) -> dict[str, int] | None:
    count: int = values["type_vocab_size"]
    return {"token_type_ids": count} if count else None


_ATTENTION_SPEC: dict[str, Any] = {
    "heads": Key("num_attention_heads"),
    "scale": _scale,
    "dropout": Key("attention_probs_dropout_prob"),
}


def _deberta(model_type: str, name: str, **more: Any) -> Family:
    spec = {
        "positions": _deberta_positions,
        "input": {"add": _types},
        "attention": {**_ATTENTION_SPEC, **more.pop("attention", {})},
        **more.pop("spec", {}),
    }
    heads = {
        f"{name}ForMaskedLM": masked_head(
            "cls.predictions", dense="transform.dense", norm="transform.LayerNorm"
        ),
        f"{name}Model": Head(),
        **token_heads(name, dropout=Key("hidden_dropout_prob")),
        f"{name}ForSequenceClassification": pooled(
            act=activation("pooler_hidden_act"), dropout=Key("hidden_dropout_prob")
        ),
    }
    names = {
        "relative_embedding": "encoder.rel_embeddings",
        "relative_norm": "encoder.LayerNorm",
        **more.pop("names"),
    }
    return bert_like(
        model_type,
        prefix="deberta.",
        heads=heads,
        reads=keys(
            "relative_attention max_relative_positions pooler_hidden_act position_biased_input"
        ),
        own_defaults=more.pop("own_defaults", {}),
        optional={"pos_att_type": object, **more.pop("optional", {})},
        fixed={"legacy": True, **more.pop("fixed", {})},
        irrelevant=frozenset(
            ["conv_act", "padding_idx", "pooler_dropout", "pooler_hidden_size", "pooler_size"]
        ),
        spec=spec,
        names=names,
        **more,
    )


_SELF = "encoder.layer.{}.attention.self"

_PARTS = ("query", "key", "value")

DEBERTA = _deberta(
    "deberta",
    "Deberta",
    attention={"bias": ["query", "value", "output"]},
    names={
        **{f"layers.{{}}.attention.{part}": None for part in _PARTS},
        tuple(f"layers.{{}}.attention.{part}.weight" for part in _PARTS): Layout(
            f"{_SELF}.in_proj.weight", groups=Key("num_attention_heads")
        ),
        "layers.{}.attention.query.bias": f"{_SELF}.q_bias",
        "layers.{}.attention.value.bias": f"{_SELF}.v_bias",
        "layers.{}.attention.position_key": f"{_SELF}.pos_proj",
        "layers.{}.attention.position_query": f"{_SELF}.pos_q_proj",
    },
    fixed={"talking_head": False},
)

DEBERTA_V2 = _deberta(
    "deberta-v2",
    "DebertaV2",
    own_defaults={"position_buckets": -1, "share_att_key": False, "norm_rel_ebd": "none"},
    fixed={"conv_kernel_size": 0},
    optional={"attention_head_size": int},
    unused=(r"encoder\.LayerNorm\..*",),  # norm of relative positions, unused without them
    names={
        **{f"layers.{{}}.attention.{part}": f"{_SELF}.{part}_proj" for part in _PARTS},
        "layers.{}.attention.position_key": f"{_SELF}.pos_key_proj",
        "layers.{}.attention.position_query": f"{_SELF}.pos_query_proj",
    },
)

DEBERTA_V2 = replace(
    DEBERTA_V2,
    heads={
        **DEBERTA_V2.heads,
        **choices(
            "DebertaV2", act=activation("pooler_hidden_act"), dropout=Key("hidden_dropout_prob")
        ),
    },
)

FAMILIES = (DEBERTA, DEBERTA_V2)
