"""Rows shared by encoders built like BERT (Devlin et al., 2018, arXiv:1810.04805)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..defaults import Keys, keys
from ..family import Family, Head, Names
from ..values import Key, Multiple, Values, activation
from ._rows import changed, token

BERT_KEYS = keys(
    "vocab_size hidden_size num_hidden_layers num_attention_heads intermediate_size",
    "hidden_act hidden_dropout_prob attention_probs_dropout_prob max_position_embeddings",
    "type_vocab_size initializer_range layer_norm_eps pad_token_id tie_word_embeddings",
    "id2label",
)

BERT_OPTIONAL: dict[str, type] = {"classifier_dropout": float, "pad_token_id": int}

BERT_SPEC: dict[str, Any] = {
    "family": "encoder-only",
    "vocab_size": Key("vocab_size"),
    "max_positions": Key("max_position_embeddings"),
    "d_model": Key("hidden_size"),
    "layers": Key("num_hidden_layers"),
    "dropout": Key("hidden_dropout_prob"),
    "activation": activation("hidden_act"),
    "norm": {"eps": Key("layer_norm_eps")},
    "norm_placement": "post",
    "input": {"add": {"token_type_ids": Key("type_vocab_size")}, "normalize": True},
    "positions": "learned",
    "attention": {
        "heads": Key("num_attention_heads"),
        "dropout": Key("attention_probs_dropout_prob"),
    },
    "feed_forward": {"d_ff": Multiple("intermediate_size")},
}

BERT_NAMES: dict[str, str] = {
    "token_embedding": "embeddings.word_embeddings",
    "token_type_embedding": "embeddings.token_type_embeddings",
    "position_embedding": "embeddings.position_embeddings",
    "embedding_norm": "embeddings.LayerNorm",
    "layers.{}.attention.query": "encoder.layer.{}.attention.self.query",
    "layers.{}.attention.key": "encoder.layer.{}.attention.self.key",
    "layers.{}.attention.value": "encoder.layer.{}.attention.self.value",
    "layers.{}.attention.output": "encoder.layer.{}.attention.output.dense",
    "layers.{}.attention_norm": "encoder.layer.{}.attention.output.LayerNorm",
    "layers.{}.feed_forward.up": "encoder.layer.{}.intermediate.dense",
    "layers.{}.feed_forward.down": "encoder.layer.{}.output.dense",
    "layers.{}.feed_forward_norm": "encoder.layer.{}.output.LayerNorm",
}

_PREDICTIONS = "cls.predictions"


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
    """A masked-LM head with names below `prefix`: dense layer, norm, tied output projection.

    width: output width of the dense layer, if the output projection has its own weight
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


CLASSES = Key("id2label", read=len)

DROPOUT = Key("classifier_dropout")


def token_heads(name: str, *, dropout: Any = DROPOUT, classifier: str = "classifier") -> Any:
    """Heads for token classification and question answering (start and end logits)."""
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
    """The model without a head; its pooler reads the first token."""
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


def like_bert_heads(name: str, width: Any = None) -> dict[str, Head]:
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


ENCODER_LAST: Mapping[str, Any] = {
    "init": {"type": "normal", "std": Key("initializer_range")},
    "tokens": {"pad": token("pad_token_id")},
}

UNUSED = (r"embeddings\.position_ids", r"embeddings\.token_type_ids")


def two_layers(name: str, act: str = "tanh", dropout: Any = DROPOUT) -> dict[str, Head]:
    """A classifier with two layers on the first token (RoBERTa)."""
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
    reads: Keys = (),
    own_defaults: Mapping[str, Any] = {},
    optional: Mapping[str, type] = {},
    without: Collection[str] = (),
    spec: Mapping[str, Any] = {},
    names: Mapping[Any, Any] = {},
    **more: Any,
) -> Family:
    """A family that differs from BERT in the given rows.

    reads: additional keys of config.json
    without: keys of config.json that BERT has and this family does not
    spec, names: changed and additional rows; None removes a row
    """
    rows = {**BERT_NAMES, **names}
    return Family(
        model_type=model_type,
        reads=keys(BERT_KEYS, reads, without=without),
        own_defaults=own_defaults,
        optional={**BERT_OPTIONAL, **optional},
        spec=changed(BERT_SPEC, spec),
        last=more.pop("last", ENCODER_LAST),
        names={ours: theirs for ours, theirs in rows.items() if theirs is not None},
        prefix=prefix,
        unused=(*UNUSED, *more.pop("unused", ())),
        heads=heads,
        **more,
    )


def narrow(values: Values) -> int | None:
    """Width of the token embedding; None if it is d_model."""
    narrow: int = values["embedding_size"]
    return None if narrow == values["hidden_size"] else narrow


def narrow_head(values: Values) -> int | None:
    """Width before an untied output projection, which equals that of the embedding."""
    return None if values["tie_word_embeddings"] else narrow(values)


PRE_NORM: Mapping[str, Any] = {"norm_placement": "pre"}


def masked_and_next(name: str, pooler: str = "pooler.dense") -> dict[str, Head]:
    """BERT's pretraining class: masked tokens and next-sentence prediction."""
    masked = like_bert_heads(name)[f"{name}ForMaskedLM"]
    names = {str(ours).replace("head", "mlm", 1): theirs for ours, theirs in masked.names.items()}
    nsp = {
        "type": "classifier",
        "classes": 2,
        "pool": "first",
        "hidden": Key("hidden_size"),
        "activation": "tanh",
        "dropout": 0,
    }
    return {
        f"{name}ForPreTraining": Head(
            spec={"heads": {"mlm": masked.spec["head"], "nsp": nsp}},
            names={**names, "nsp.dense": pooler, "nsp.output": "cls.seq_relationship"},
            untied=masked.untied,
            instead=masked.instead,
        )
    }
