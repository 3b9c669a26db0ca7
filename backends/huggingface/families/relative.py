"""Encoders whose attention knows relative positions: DeBERTa (He et al., 2020, arXiv:2006.03654)
and its later versions (2021, arXiv:2111.09543), XLNet (Yang et al., 2019, arXiv:1906.08237).
"""

from __future__ import annotations

from typing import Any

from ..family import Family, Head
from ..layouts import Layout
from ..values import Key, RefusedError, Values
from .like_bert import CLASSES, bert_like, masked_head, token_heads
from .rows import LABELS, LAST, TOKEN_KEYS

_TERMS = {"c2p": "content_to_position", "p2c": "position_to_content"}


def _deberta_positions(values: Values) -> Any:
    """Learned positions, relative ones, both, or none."""
    found: list[Any] = ["learned"] if values["position_biased_input"] else []
    if values["relative_attention"]:
        found.append(_disentangled(values))
    return found[0] if len(found) == 1 else found or "none"


def _disentangled(values: Values) -> dict[str, Any]:
    said = values["pos_att_type"] or []
    types = said.split("|") if isinstance(said, str) else said
    if not types or any(each.strip().lower() not in _TERMS for each in types):
        raise RefusedError(f"`pos_att_type: {said}` is not supported yet, only c2p and p2c")
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


def _scale(values: Values) -> float | None:
    """Scores are divided for each term that `pos_att_type` names, also where there are none."""
    terms = values["pos_att_type"] or []
    if values["relative_attention"] or not terms:
        return None
    count = 1 + len(terms.split("|") if isinstance(terms, str) else terms)
    width = values["hidden_size"] // values["num_attention_heads"]
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
        defaults={
            "vocab_size": 50265,
            "type_vocab_size": 0,
            "layer_norm_eps": 1e-7,
            "relative_attention": False,
            "max_relative_positions": -1,
            "position_biased_input": True,
            **more.pop("defaults", {}),
        },
        optional={"pos_att_type": object, **more.pop("optional", {})},
        fixed={"legacy": True, **more.pop("fixed", {})},
        irrelevant=frozenset(
            ["conv_act", "padding_idx", "pooler_dropout", "pooler_hidden_act", "pooler_hidden_size"]
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
    defaults={
        "vocab_size": 128100,
        "hidden_size": 1536,
        "num_hidden_layers": 24,
        "num_attention_heads": 24,
        "intermediate_size": 6144,
        "position_buckets": -1,
        "share_att_key": False,
        "norm_rel_ebd": "none",
    },
    fixed={"conv_kernel_size": 0},
    unused=(r"encoder\.LayerNorm\..*",),  # of relative positions, which there may be none of
    names={
        **{f"layers.{{}}.attention.{part}": f"{_SELF}.{part}_proj" for part in _PARTS},
        "layers.{}.attention.position_key": f"{_SELF}.pos_key_proj",
        "layers.{}.attention.position_query": f"{_SELF}.pos_query_proj",
    },
)

_ATTENTION = "layer.{}.rel_attn"


def _by_head(values: Values) -> tuple[int, ...]:
    return (values["d_model"], values["n_head"], -1)


def _flat(name: str) -> Layout:
    """(d_model, heads, head_dim) in the checkpoint, (heads * head_dim, d_model) here."""
    return Layout(f"{_ATTENTION}.{name}", transposed=True, stored=_by_head)


XLNET = Family(
    model_type="xlnet",
    defaults={
        "vocab_size": 32000,
        "d_model": 1024,
        "n_layer": 24,
        "n_head": 16,
        "d_inner": 4096,
        "ff_activation": "gelu",
        "initializer_range": 0.02,
        "layer_norm_eps": 1e-12,
        "dropout": 0.1,
        "summary_last_dropout": 0.1,
        "pad_token_id": 5,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "tie_word_embeddings": True,
        "id2label": LABELS,
    },
    optional={**TOKEN_KEYS, "d_head": int},
    fixed={"attn_type": "bi", "bi_data": False, "clamp_len": -1, "same_length": False},
    irrelevant=frozenset(
        [
            "end_n_top",
            "mem_len",
            "reuse_len",
            "start_n_top",
            "summary_activation",
            "summary_type",
            "summary_use_proj",
            "untie_r",
            "use_mems_eval",
            "use_mems_train",
        ]
    ),
    spec={
        "family": "encoder-only",
        "vocab_size": Key("vocab_size"),
        "d_model": Key("d_model"),
        "layers": Key("n_layer"),
        "dropout": Key("dropout"),
        "norm": {"eps": Key("layer_norm_eps")},
        "norm_placement": "post",
        "positions": "transformer_xl",
        "attention": {"heads": Key("n_head"), "bias": False},
        "feed_forward": {
            "hidden": Key("d_inner"),
            "activation": Key("ff_activation", words={"gelu": "gelu", "relu": "relu"}),
            "hidden_dropout": Key("dropout"),
        },
    },
    last=LAST,
    names={
        "token_embedding": "word_embedding",
        "layers.{}.attention.query.weight": _flat("q"),
        "layers.{}.attention.key.weight": _flat("k"),
        "layers.{}.attention.value.weight": _flat("v"),
        "layers.{}.attention.position.weight": _flat("r"),
        "layers.{}.attention.output.weight": Layout(f"{_ATTENTION}.o", stored=_by_head),
        "layers.{}.attention.content_bias": f"{_ATTENTION}.r_w_bias",
        "layers.{}.attention.position_bias": f"{_ATTENTION}.r_r_bias",
        "layers.{}.attention_norm": f"{_ATTENTION}.layer_norm",
        "layers.{}.feed_forward.up": "layer.{}.ff.layer_1",
        "layers.{}.feed_forward.down": "layer.{}.ff.layer_2",
        "layers.{}.feed_forward_norm": "layer.{}.ff.layer_norm",
    },
    prefix="transformer.",
    # segments, memories and the second stream of its training are not read
    unused=(r"mask_emb", r"layer\.\d+\.rel_attn\.(r_s_bias|seg_embed)"),
    heads={
        "XLNetLMHeadModel": Head(
            spec={
                "head": {
                    "type": "language_model",
                    "tied": Key("tie_word_embeddings"),
                    "bias": True,
                }
            },
            names={"head.bias": "lm_loss.bias", "head": "lm_loss"},
            untied={"lm_loss.weight": "word_embedding.weight"},
        ),
        "XLNetModel": Head(),
        "XLNetForTokenClassification": Head(
            spec={"head": {"type": "classifier", "classes": CLASSES, "dropout": 0}},
            names={"head.output": "classifier"},
        ),
    },
    note="Segments, memories and permuted targets are not read",
)

FAMILIES = (DEBERTA, DEBERTA_V2, XLNET)
