"""BERT (Devlin et al., 2018, arXiv:1810.04805), and what is made as it is: MiniLM, E5, BGE, GTE."""

from __future__ import annotations

from typing import Any

from ..family import Family, Head, Names
from ..values import Key, Multiple, activation

_TRANSFORM = "cls.predictions.transform"
_UNTIED = {"cls.predictions.decoder.weight": "embeddings.word_embeddings.weight"}
_INSTEAD = {"cls.predictions.bias": "cls.predictions.decoder.bias"}
_MASKED = {
    "type": "language_model",
    "tied": Key("tie_word_embeddings"),
    "bias": True,
    "transform": {"type": "dense"},
}
_POOLED = {"pool": "first", "hidden": Key("hidden_size"), "activation": "tanh"}
_CLASSES = Key("id2label", read=len)


def _masked(head: str) -> Names:
    return {
        f"{head}.output": "cls.predictions.decoder",
        f"{head}.output.bias": "cls.predictions.bias",
        f"{head}.dense": f"{_TRANSFORM}.dense",
        f"{head}.norm": f"{_TRANSFORM}.LayerNorm",
        f"{head}.bias": "cls.predictions.bias",
    }


HEADS = {
    "BertModel": Head(
        spec={
            "head": {
                "type": "projection",
                "size": Key("hidden_size"),
                "pool": "first",
                "activation": "tanh",
            }
        },
        names={"head.dense": "pooler.dense"},
        optional=True,
    ),
    "BertForMaskedLM": Head(
        spec={"head": _MASKED},
        names=_masked("head"),
        unused=(r"pooler\.dense\..*", r"cls\.seq_relationship\..*"),
        instead=_INSTEAD,
        untied=_UNTIED,
    ),
    "BertForPreTraining": Head(
        spec={
            "heads": {
                "mlm": _MASKED,
                "nsp": {"type": "classifier", "classes": 2, **_POOLED, "dropout": 0},
            }
        },
        names={**_masked("mlm"), "nsp.dense": "pooler.dense", "nsp.output": "cls.seq_relationship"},
        instead=_INSTEAD,
        untied=_UNTIED,
    ),
    "BertForSequenceClassification": Head(
        spec={
            "head": {
                "type": "classifier",
                "classes": _CLASSES,
                **_POOLED,
                "dropout": Key("classifier_dropout"),
            }
        },
        names={"head.dense": "pooler.dense", "head.output": "classifier"},
    ),
    "BertForTokenClassification": Head(
        spec={
            "head": {
                "type": "classifier",
                "classes": _CLASSES,
                "dropout": Key("classifier_dropout"),
            }
        },
        names={"head.output": "classifier"},
        unused=(r"pooler\.dense\..*",),
    ),
    "BertForQuestionAnswering": Head(
        spec={"head": {"type": "classifier", "classes": 2, "dropout": 0}},
        names={"head.output": "qa_outputs"},
        unused=(r"pooler\.dense\..*",),
    ),
}

BERT_DEFAULTS: dict[str, Any] = {
    "vocab_size": 30522,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "initializer_range": 0.02,
    "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
    "tie_word_embeddings": True,
    "id2label": {"0": "LABEL_0", "1": "LABEL_1"},
}
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
    "feed_forward": {"hidden": Multiple("intermediate_size")},
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

_BERT = Family(
    model_type="bert",
    defaults=BERT_DEFAULTS,
    optional=BERT_OPTIONAL,
    fixed={
        "position_embedding_type": "absolute",
    },
    irrelevant=frozenset(
        [
            "directionality",
            "pooler_fc_size",
            "pooler_num_attention_heads",
            "pooler_num_fc_layers",
            "pooler_size_per_head",
            "pooler_type",
        ]
    ),
    spec=BERT_SPEC,
    last={
        "init": {"type": "normal", "std": Key("initializer_range")},
        "tokens": {"pad": Key("pad_token_id")},
    },
    names=BERT_NAMES,
    prefix="bert.",
    renamed={".gamma": ".weight", ".beta": ".bias"},
    unused=(r"embeddings\.position_ids", r"embeddings\.token_type_ids"),
    heads=HEADS,
)

FAMILIES = (_BERT,)
