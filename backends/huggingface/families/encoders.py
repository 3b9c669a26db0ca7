"""Encoders that are built as BERT is, each with what it has otherwise."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..family import Family, Head, Names
from ..values import Key, Multiple, Only, Row, Values, activation
from .bert import BERT_DEFAULTS, BERT_NAMES, BERT_OPTIONAL, BERT_SPEC
from .rows import LABELS, changed, full_attention, token

LAST: Mapping[str, Any] = {
    "init": {"type": "normal", "std": Key("initializer_range")},
    "tokens": {"pad": token("pad_token_id")},
}
UNUSED = (r"embeddings\.position_ids", r"embeddings\.token_type_ids")
CLASSES = Key("id2label", read=len)
DROPOUT = Key("classifier_dropout")


def masked_head(
    prefix: str,
    *,
    dense: str = "dense",
    norm: str = "layer_norm",
    decoder: str = "decoder",
    bias: str = "bias",
    table: str = "embeddings.word_embeddings",
    act: Any = None,
    width: Any = None,
    unused: Collection[str] = (),
) -> Head:
    """A head for masked tokens below `prefix`: a dense layer, a norm, and the table of tokens.

    width: of the dense layer, where the table is another one than that of the tokens
    """
    root = f"{prefix}." if prefix else ""
    return Head(
        spec={
            "head": {
                "type": "language_model",
                "tied": Key("tie_word_embeddings"),
                "bias": True,
                "transform": {"type": "dense", "width": width, "activation": act},
            }
        },
        names={
            "head.dense": root + dense,
            "head.norm": root + norm,
            "head.bias": root + bias,
            "head.output": root + decoder,
            "head.output.bias": root + bias,
        },
        untied={f"{root}{decoder}.weight": f"{table}.weight"},
        instead={root + bias: f"{root}{decoder}.bias"},
        unused=(r"pooler\.dense\..*", *unused),
    )


def token_heads(name: str, *, dropout: Any = DROPOUT, classifier: str = "classifier") -> Any:
    """Classes for every token, and the two ends of an answer."""
    pooler = (r"pooler\.dense\..*",)
    return {
        f"{name}ForTokenClassification": Head(
            spec={"head": {"type": "classifier", "classes": CLASSES, "dropout": dropout}},
            names={"head.output": classifier},
            unused=pooler,
        ),
        f"{name}ForQuestionAnswering": Head(
            spec={"head": {"type": "classifier", "classes": 2, "dropout": 0}},
            names={"head.output": "qa_outputs"},
            unused=pooler,
        ),
    }


def pooled_model(names: Names | None = None) -> Head:
    """The bare model, whose pooler reads the first token."""
    return Head(
        spec={
            "head": {
                "type": "projection",
                "size": Key("hidden_size"),
                "pool": "first",
                "activation": "tanh",
            }
        },
        names=names or {"head.dense": "pooler.dense"},
        optional=True,
    )


def two_layers(name: str, act: str = "tanh", dropout: Any = DROPOUT) -> dict[str, Head]:
    """A classifier of two layers on the first token (RoBERTa's)."""
    head = {
        "type": "classifier",
        "classes": CLASSES,
        "pool": "first",
        "hidden": Key("hidden_size"),
        "activation": act,
        "dropout": dropout,
    }
    return {
        f"{name}ForSequenceClassification": Head(
            spec={"head": head},
            names={"head.dense": "classifier.dense", "head.output": "classifier.out_proj"},
        )
    }


def bert_like(
    model_type: str,
    *,
    prefix: str,
    heads: Mapping[str, Head],
    defaults: Mapping[str, Any] = {},
    optional: Mapping[str, type] = {},
    without: Collection[str] = (),
    spec: Mapping[str, Any] = {},
    names: Mapping[Any, Any] = {},
    **more: Any,
) -> Family:
    """A family that differs from BERT in these rows.

    without: keys of config.json that BERT has and this family has not
    spec, names: what is other or more; None takes a row away
    """
    kept = {key: value for key, value in BERT_DEFAULTS.items() if key not in without}
    rows = {**BERT_NAMES, **names}
    return Family(
        model_type=model_type,
        defaults={**kept, **defaults},
        optional={**BERT_OPTIONAL, **optional},
        spec=changed(BERT_SPEC, spec),
        last=more.pop("last", LAST),
        names={ours: theirs for ours, theirs in rows.items() if theirs is not None},
        prefix=prefix,
        unused=(*UNUSED, *more.pop("unused", ())),
        heads=heads,
        **more,
    )


# -- RoBERTa (Liu et al., 2019, arXiv:1907.11692): positions count real tokens, after the pad id

AFTER_PADDING = {
    "type": "learned",
    "offset": lambda values: values["pad_token_id"] + 1,
    "skip_padding": "tokens",
}
AFTER_PADDING_SPEC: Mapping[str, Any] = {
    "max_positions": Row(
        lambda values: values["max_position_embeddings"] - values["pad_token_id"] - 1,
        lambda said: {"max_position_embeddings": said + 2},  # right where the pad id is 1
    ),
    "positions": AFTER_PADDING,
}
ROBERTA_DEFAULTS: Mapping[str, Any] = {"vocab_size": 50265, "pad_token_id": 1}


def roberta_heads(name: str, **head: Any) -> dict[str, Head]:
    return {
        f"{name}ForMaskedLM": masked_head("lm_head", act="gelu", **head),
        f"{name}Model": pooled_model(),
        **two_layers(name),
        **token_heads(name),
    }


def _roberta(model_type: str, name: str, prefix: str = "roberta.", **more: Any) -> Family:
    defaults = {**ROBERTA_DEFAULTS, **more.pop("defaults", {})}
    spec = {**AFTER_PADDING_SPEC, **more.pop("spec", {})}
    heads = more.pop("heads", roberta_heads(name))
    return bert_like(model_type, prefix=prefix, heads=heads, defaults=defaults, spec=spec, **more)


ROBERTA = _roberta("roberta", "Roberta")
XLM_ROBERTA = _roberta("xlm-roberta", "XLMRoberta", defaults={"vocab_size": 30522})
CAMEMBERT = _roberta("camembert", "Camembert", defaults={"vocab_size": 30522})
DATA2VEC_TEXT = _roberta(
    "data2vec-text", "Data2VecText", "data2vec_text.", defaults={"vocab_size": 30522}
)

_PRE_NORM: Mapping[str, Any] = {"norm_placement": "pre"}

ROBERTA_PRE_NORM = _roberta(
    "roberta-prelayernorm",
    "RobertaPreLayerNorm",
    "roberta_prelayernorm.",
    spec=_PRE_NORM,
    names={
        "layers.{}.attention_norm": "encoder.layer.{}.attention.LayerNorm",
        "layers.{}.feed_forward_norm": "encoder.layer.{}.intermediate.LayerNorm",
        "norm": "LayerNorm",
    },
)
XLM_ROBERTA_XL = _roberta(
    "xlm-roberta-xl",
    "XLMRobertaXL",
    defaults={
        "vocab_size": 250880,
        "hidden_size": 2560,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "intermediate_size": 10240,
        "max_position_embeddings": 514,
        "type_vocab_size": 1,
        "layer_norm_eps": 1e-5,
    },
    spec={**_PRE_NORM, "input": {"normalize": None}},
    names={
        "embedding_norm": None,
        "layers.{}.attention_norm": "encoder.layer.{}.attention.self_attn_layer_norm",
        "layers.{}.feed_forward_norm": "encoder.layer.{}.LayerNorm",
        "norm": "encoder.LayerNorm",
    },
)

# -- MPNet (Song et al., 2020, arXiv:2004.09297): T5's buckets beside learned positions

MPNET = bert_like(
    "mpnet",
    prefix="mpnet.",
    heads={
        "MPNetForMaskedLM": masked_head("lm_head", act="gelu"),
        "MPNetModel": pooled_model(),
        **two_layers("MPNet", dropout=Key("hidden_dropout_prob")),
        **token_heads("MPNet", dropout=Key("hidden_dropout_prob")),
    },
    defaults={"vocab_size": 30527, "pad_token_id": 1},
    without=["type_vocab_size"],
    # the library counts positions from 2 and makes 32 buckets, whatever the config says
    fixed={"pad_token_id": 1, "relative_attention_num_buckets": 32},
    spec={
        "max_positions": lambda values: values["max_position_embeddings"] - 2,
        "positions": [
            {"type": "learned", "offset": 2, "skip_padding": "tokens"},
            {"type": "relative_bias", "buckets": 32, "max_distance": 128},
        ],
        "input": {"add": None},
    },
    names={
        "token_type_embedding": None,
        "layers.{}.attention.query": "encoder.layer.{}.attention.attn.q",
        "layers.{}.attention.key": "encoder.layer.{}.attention.attn.k",
        "layers.{}.attention.value": "encoder.layer.{}.attention.attn.v",
        "layers.{}.attention.output": "encoder.layer.{}.attention.attn.o",
        "layers.{}.attention_norm": "encoder.layer.{}.attention.LayerNorm",
        "relative_bias": "encoder.relative_attention_bias",
    },
    unused=[r"position_ids"],
)

# -- DistilBERT (Sanh et al., 2019, arXiv:1910.01108): no token types, no pooler

DISTILBERT = Family(
    model_type="distilbert",
    defaults={
        "vocab_size": 30522,
        "max_position_embeddings": 512,
        "n_layers": 6,
        "n_heads": 12,
        "dim": 768,
        "hidden_dim": 3072,
        "dropout": 0.1,
        "attention_dropout": 0.1,
        "activation": "gelu",
        "initializer_range": 0.02,
        "qa_dropout": 0.1,
        "seq_classif_dropout": 0.2,
        "pad_token_id": 0,
        "tie_word_embeddings": True,
        "id2label": LABELS,
    },
    optional={"pad_token_id": int},
    irrelevant=frozenset(["sinusoidal_pos_embds", "tie_weights_"]),
    spec={
        "family": "encoder-only",
        "vocab_size": Key("vocab_size"),
        "max_positions": Key("max_position_embeddings"),
        "d_model": Key("dim"),
        "layers": Key("n_layers"),
        "dropout": Key("dropout"),
        "activation": activation("activation"),
        "norm": {"eps": 1e-12},
        "norm_placement": "post",
        "input": {"normalize": True},
        "positions": "learned",
        "attention": {"heads": Key("n_heads"), "dropout": Key("attention_dropout")},
        "feed_forward": {"hidden": Multiple("hidden_dim", of="dim")},
    },
    last=LAST,
    names={
        "token_embedding": "embeddings.word_embeddings",
        "position_embedding": "embeddings.position_embeddings",
        "embedding_norm": "embeddings.LayerNorm",
        "layers.{}.attention.query": "transformer.layer.{}.attention.q_lin",
        "layers.{}.attention.key": "transformer.layer.{}.attention.k_lin",
        "layers.{}.attention.value": "transformer.layer.{}.attention.v_lin",
        "layers.{}.attention.output": "transformer.layer.{}.attention.out_lin",
        "layers.{}.attention_norm": "transformer.layer.{}.sa_layer_norm",
        "layers.{}.feed_forward.up": "transformer.layer.{}.ffn.lin1",
        "layers.{}.feed_forward.down": "transformer.layer.{}.ffn.lin2",
        "layers.{}.feed_forward_norm": "transformer.layer.{}.output_layer_norm",
    },
    prefix="distilbert.",
    unused=(r"embeddings\.position_ids",),
    heads={
        "DistilBertForMaskedLM": masked_head(
            "",
            dense="vocab_transform",
            norm="vocab_layer_norm",
            decoder="vocab_projector",
            bias="vocab_projector.bias",
        ),
        "DistilBertModel": Head(),
        "DistilBertForSequenceClassification": Head(
            spec={
                "head": {
                    "type": "classifier",
                    "classes": CLASSES,
                    "pool": "first",
                    "hidden": Key("dim"),
                    "activation": "relu",
                    "dropout": Key("seq_classif_dropout"),
                }
            },
            names={"head.dense": "pre_classifier", "head.output": "classifier"},
        ),
        **token_heads("DistilBert", dropout=Key("dropout")),
    },
)

# -- ELECTRA (Clark et al., 2020, arXiv:2003.10555): a narrow table of tokens


def _narrow(values: Values) -> int | None:
    """The width of the table of tokens, where it is not that of the model."""
    narrow: int = values["embedding_size"]
    return None if narrow == values["hidden_size"] else narrow


def _narrow_input(values: Values) -> int | None:
    """The width of RemBERT's table of tokens."""
    return _narrow({**values, "embedding_size": values["input_embedding_size"]})


def _narrow_head(values: Values) -> int | None:
    """The width before an output table of its own, which is as narrow."""
    return None if values["tie_word_embeddings"] else _narrow(values)


_ELECTRA_CLASSES = two_layers("Electra", act="gelu")

ELECTRA = bert_like(
    "electra",
    prefix="electra.",
    heads={
        "ElectraForMaskedLM": masked_head(
            "",
            dense="generator_predictions.dense",
            norm="generator_predictions.LayerNorm",
            decoder="generator_lm_head",
            bias="generator_lm_head.bias",
            act="gelu",
            width=_narrow_head,
        ),
        "ElectraModel": Head(),
        **_ELECTRA_CLASSES,
        **token_heads("Electra"),
    },
    defaults={
        "embedding_size": 128,
        "hidden_size": 256,
        "num_attention_heads": 4,
        "intermediate_size": 1024,
    },
    irrelevant=frozenset(
        ["summary_activation", "summary_last_dropout", "summary_type", "summary_use_proj"]
    ),
    spec={"input": {"width": _narrow}},
    names={"embedding_projection": "embeddings_project"},
)

# -- ALBERT (Lan et al., 2020, arXiv:1909.11942): groups of layers share their weights


def _albert_layers(values: Values) -> list[Any]:
    """A block for each group; a group whose layers share their weights is a shared block."""
    layers, groups = values["num_hidden_layers"], values["num_hidden_groups"]
    if groups == 1:
        return [("block", {"share": True})] * layers
    return [
        (f"group_{int(layer / (layers / groups)) + 1}", {"share": True}) for layer in range(layers)
    ]


_ALBERT_GROUP = "encoder.albert_layer_groups.{}.albert_layers.0"
_ALBERT_PARTS = {
    "attention.query": "attention.query",
    "attention.key": "attention.key",
    "attention.value": "attention.value",
    "attention.output": "attention.dense",
    "attention_norm": "attention.LayerNorm",
    "feed_forward.up": "ffn",
    "feed_forward.down": "ffn_output",
    "feed_forward_norm": "full_layer_layer_norm",
}


def _albert_names(values: Values) -> Names:
    """One layer of ours for each of the library's groups."""
    names: dict[str, str] = {
        "token_embedding": "embeddings.word_embeddings",
        "token_type_embedding": "embeddings.token_type_embeddings",
        "position_embedding": "embeddings.position_embeddings",
        "embedding_norm": "embeddings.LayerNorm",
        "embedding_projection": "encoder.embedding_hidden_mapping_in",
    }
    groups = values["num_hidden_groups"]
    for group in range(groups):
        for part, theirs in _ALBERT_PARTS.items():
            names[f"layers.{group}.{part}"] = f"{_ALBERT_GROUP.format(group)}.{theirs}"
    return names


ALBERT = Family(
    model_type="albert",
    defaults={
        **{key: BERT_DEFAULTS[key] for key in ("max_position_embeddings", "type_vocab_size")},
        **{key: BERT_DEFAULTS[key] for key in ("initializer_range", "layer_norm_eps")},
        "vocab_size": 30000,
        "embedding_size": 128,
        "hidden_size": 4096,
        "num_hidden_layers": 12,
        "num_hidden_groups": 1,
        "num_attention_heads": 64,
        "intermediate_size": 16384,
        "hidden_act": "gelu_new",
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "classifier_dropout_prob": 0.1,
        "pad_token_id": 0,
        "tie_word_embeddings": True,
        "id2label": LABELS,
    },
    optional={"pad_token_id": int},
    fixed={"inner_group_num": 1},
    irrelevant=frozenset(
        ["down_scale_factor", "gap_size", "net_structure_type", "num_memory_blocks"]
    ),
    spec=changed(BERT_SPEC, {"input": {"width": _narrow}}),
    layers=_albert_layers,
    last=LAST,
    names=_albert_names,
    prefix="albert.",
    unused=UNUSED,
    heads={
        "AlbertForMaskedLM": masked_head(
            "predictions",
            norm="LayerNorm",
            width=_narrow_head,
            unused=[r"pooler\..*", r"sop_classifier\..*"],
        ),
        "AlbertModel": pooled_model({"head.dense": "pooler"}),
        **token_heads("Albert", dropout=Key("classifier_dropout_prob")),
    },
)

# -- RemBERT (Chung et al., 2020, arXiv:2010.12821): a narrow table before, a wide one after

REMBERT = bert_like(
    "rembert",
    prefix="rembert.",
    heads={
        "RemBertForMaskedLM": Head(
            spec={
                "head": {
                    "type": "language_model",
                    "bias": True,
                    "transform": {"type": "dense", "width": Key("output_embedding_size")},
                }
            },
            names={
                "head.dense": "cls.predictions.dense",
                "head.norm": "cls.predictions.LayerNorm",
                "head.output": "cls.predictions.decoder",
            },
            unused=(r"pooler\.dense\..*",),
        ),
        "RemBertModel": pooled_model(),
        **token_heads("RemBert", dropout=Key("classifier_dropout_prob")),
    },
    defaults={
        "vocab_size": 250300,
        "hidden_size": 1152,
        "num_hidden_layers": 32,
        "num_attention_heads": 18,
        "input_embedding_size": 256,
        "output_embedding_size": 1664,
        "intermediate_size": 4608,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "classifier_dropout_prob": 0.1,
        "tie_word_embeddings": False,
    },
    spec={"input": {"width": _narrow_input}},
    names={"embedding_projection": "encoder.embedding_hidden_mapping_in"},
)

# -- Others

_PREDICTIONS = "cls.predictions"


def _like_bert_heads(name: str, width: Any = None) -> dict[str, Head]:
    return {
        f"{name}ForMaskedLM": masked_head(
            _PREDICTIONS,
            dense="transform.dense",
            norm="transform.LayerNorm",
            width=width,
            unused=[r"cls\.seq_relationship\..*"],
        ),
        f"{name}Model": pooled_model(),
        **token_heads(name),
    }


ERNIE = bert_like(
    "ernie",
    prefix="ernie.",
    heads=_like_bert_heads("Ernie"),
    fixed={"use_task_id": False},
    irrelevant=frozenset(["task_type_vocab_size", "pool_act", "task_id"]),
)
MEGATRON_BERT = bert_like(
    "megatron-bert",
    prefix="bert.",
    heads={
        key: head
        for key, head in _like_bert_heads("MegatronBert").items()
        if "Token" not in key and "Question" not in key
    },
    defaults={
        "vocab_size": 29056,
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
    },
    spec={**_PRE_NORM, "input": {"normalize": None}},
    names={
        "embedding_norm": None,
        "layers.{}.attention_norm": "encoder.layer.{}.attention.ln",
        "layers.{}.feed_forward_norm": "encoder.layer.{}.ln",
        "norm": "encoder.ln",
    },
)
ROFORMER = bert_like(
    "roformer",
    prefix="roformer.",
    heads={
        "RoFormerForMaskedLM": _like_bert_heads("RoFormer", _narrow_head)["RoFormerForMaskedLM"],
        "RoFormerModel": Head(),
        **token_heads("RoFormer", dropout=Key("hidden_dropout_prob")),
    },
    defaults={"vocab_size": 50000, "embedding_size": 768, "max_position_embeddings": 1536},
    optional={"embedding_size": int},
    fixed={"rotary_value": False},
    spec={
        "positions": {"type": "rotary", "layout": "interleaved"},
        "input": {"width": _narrow},
    },
    names={"position_embedding": None, "embedding_projection": "embeddings_project"},
    unused=[r"encoder\.embed_positions\.weight"],
)
BIG_BIRD = bert_like(
    "big_bird",
    prefix="bert.",
    heads={
        "BigBirdForMaskedLM": _like_bert_heads("BigBird")["BigBirdForMaskedLM"],
        "BigBirdModel": pooled_model({"head.dense": "pooler"}),
        **token_heads("BigBird"),
    },
    defaults={
        "vocab_size": 50358,
        "hidden_act": "gelu_new",
        "max_position_embeddings": 4096,
        "attention_type": "block_sparse",
        "use_bias": True,
        "rescale_embeddings": False,
        "block_size": 64,
        "num_random_blocks": 3,
    },
    note=full_attention,
    spec={
        "attention": {"bias": Only("use_bias", False, ["output"])},
        "input": {"scale": Only("rescale_embeddings", True, "sqrt_d_model")},
    },
    unused=[r"pooler\..*"],
)

FAMILIES = (
    ROBERTA,
    XLM_ROBERTA,
    CAMEMBERT,
    DATA2VEC_TEXT,
    ROBERTA_PRE_NORM,
    XLM_ROBERTA_XL,
    MPNET,
    DISTILBERT,
    ELECTRA,
    ALBERT,
    ERNIE,
    MEGATRON_BERT,
    REMBERT,
    ROFORMER,
    BIG_BIRD,
)
